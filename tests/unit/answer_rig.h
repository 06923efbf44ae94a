/* answer_rig.h - the writer's answers with all behind them but PostgreSQL, for the tests of answer.c and after.c. */
#pragma once

#include "answer.h"
#include "rows.h"
#include "writer_rig.h"

static struct ev_loop *loop;
static struct subs *subs;
static struct watch *watch;
static struct publish *publish;
static struct answerer *answerer;

static int setup(void **state) {
        loop = ev_loop_new(EVFLAG_AUTO);
        subs = subs_new(1000);
        watch = watch_new();
        publish = publish_new(loop, subs, watch);
        answerer = answerer_new(NULL, subs, publish);
        return rig_setup(state);
}

static int teardown(void **state) {
        answerer_free(answerer);
        publish_free(publish);
        watch_free(watch);
        subs_free(subs);
        ev_loop_destroy(loop);
        return rig_teardown(state);
}
