/* test_log - no value that a client chose can start a line or a field of its own, or be longer than its bound. */
#include "unit.h"

#include <poll.h>
#include <sys/wait.h>

#include "../../common/log.c" /* its journal socket is ours here */

static int journal[2], err[2], real_stderr;

static int setup(void **state) {
        (void)state;
        real_stderr = dup(STDERR_FILENO);
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, journal) < 0 || pipe(err) < 0 || dup2(err[1], STDERR_FILENO) < 0)
                return -1;
        (void)unsetenv("JOURNAL_STREAM");
        log_open("lifeos-test");
        log_set_level(LOG_INFO);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        (void)dup2(real_stderr, STDERR_FILENO);
        (void)close(real_stderr);
        for (int i = 0; i < 2; i++) {
                (void)close(journal[i]);
                (void)close(err[i]);
        }
        out.journal = -1;
        out.prefix = false;
        return 0;
}

/* What was written last; "" if nothing was. */
static const char *said(int fd) {
        static char text[16384];
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n = poll(&p, 1, 0) == 1 ? read(fd, text, sizeof text - 1) : 0;
        text[n > 0 ? n : 0] = '\0';
        return text;
}

TEST(without_a_journal_a_plain_line_goes_to_stderr) {
        log_info("hello %d", 5);
        assert_string_equal(said(err[0]), "lifeos-test: hello 5\n");
        log_line(LOG_WARN, &(struct log_fields){ .op = "session_get", .actor = SLICE("ann") }, "refused");
        assert_string_equal(said(err[0]), "lifeos-test: refused op=session_get actor=ann\n");
}

TEST(below_the_level_nothing_is_said) {
        log_line(LOG_DEBUG, NULL, "noise");
        assert_string_equal(said(err[0]), "");
        log_set_level(LOG_DEBUG);
        log_line(LOG_DEBUG, NULL, "detail");
        assert_string_equal(said(err[0]), "lifeos-test: detail\n");
}

TEST(the_journal_gets_fields) {
        const struct log_fields f = { .op = "event_append",
                                      .status = "OK",
                                      .peer = "writer@1",
                                      .actor = SLICE("ann"),
                                      .session = SLICE("call-1"),
                                      .request_id = SLICE("req_1"),
                                      .trace_id = SLICE("trace_1") };
        out.journal = journal[0];
        log_line(LOG_ERROR, &f, "it failed");
        assert_string_equal(said(journal[1]),
                            "SYSLOG_IDENTIFIER=lifeos-test\nPRIORITY=3\nOP=event_append\nSTATUS=OK\n"
                            "PEER=writer@1\nACTOR=ann\nSESSION=call-1\nREQUEST_ID=req_1\n"
                            "TRACE_ID=trace_1\nMESSAGE=it failed\n");
        assert_string_equal(said(err[0]), "");
}

TEST(no_value_can_inject_a_field_or_a_line) {
        out.journal = journal[0];
        log_line(LOG_INFO, &(struct log_fields){ .actor = SLICE("ann\nPRIORITY=0\r\033[2J\x7f\\") }, "a\nb");
        assert_string_equal(said(journal[1]), "SYSLOG_IDENTIFIER=lifeos-test\nPRIORITY=6\n"
                                              "ACTOR=ann\\x0aPRIORITY=0\\x0d\\x1b[2J\\x7f\\x5c\nMESSAGE=a\\x0ab\n");
        out.journal = -1;
        log_line(LOG_INFO, &(struct log_fields){ .trace_id = SLICE("x\nlifeos-writer: fine") }, "m");
        assert_string_equal(said(err[0]), "lifeos-test: m trace_id=x\\x0alifeos-writer: fine\n");
}

TEST(text_stays_text_and_other_bytes_are_escaped) {
        log_line(LOG_INFO, &(struct log_fields){ .actor = SLICE("Gr\xc3\xbc\xc3\x9f") }, "m");
        assert_string_equal(said(err[0]), "lifeos-test: m actor=Gr\xc3\xbc\xc3\x9f\n");
        log_line(LOG_INFO, &(struct log_fields){ .actor = SLICE("\xff\xc3") }, "m");
        assert_string_equal(said(err[0]), "lifeos-test: m actor=\\xff\\xc3\n");
        log_line(LOG_INFO,
                 &(struct log_fields){ .actor = SLICE("\xc2\x9b"
                                                      "2J") },
                 "m"); /* C1: CSI in one character */
        assert_string_equal(said(err[0]), "lifeos-test: m actor=\\xc2\\x9b2J\n");
        log_line(LOG_INFO, &(struct log_fields){ .actor = { "a\0b", 3 } }, "m");
        assert_string_equal(said(err[0]), "lifeos-test: m actor=a\\x00b\n");
}

TEST(every_value_is_cut_at_its_bound) {
        static char big[5000], want[400];
        memset(big, 'x', sizeof big - 1);
        log_line(LOG_INFO, &(struct log_fields){ .session = slice_of(big) }, "m");
        (void)snprintf(want, sizeof want, "lifeos-test: m session=%.256s\n", big);
        assert_string_equal(said(err[0]), want);
        memset(big, '\n', sizeof big - 1); /* escaping may not grow it beyond the bound */
        const struct slice s = slice_of(big);
        log_line(LOG_INFO, &(struct log_fields){ big, big, big, s, s, s, s }, "%s", big);
        assert_true(strlen(said(err[0])) < RECORD_MAX);
        /* A character is cut whole or not at all. */
        memset(big, 'x', 255);
        memcpy(big + 255, "\xc3\xbc", 3);
        log_line(LOG_INFO, &(struct log_fields){ .session = slice_of(big) }, "m");
        (void)snprintf(want, sizeof want, "lifeos-test: m session=%.255s\n", big);
        assert_string_equal(said(err[0]), want);
}

TEST(when_the_journal_is_gone_stderr_says_it_with_its_level) {
        out.journal = journal[0];
        out.prefix = true;
        (void)close(journal[1]);
        journal[1] = dup(journal[0]);
        log_warn("still here");
        assert_string_equal(said(err[0]), "<4>lifeos-test: still here\n");
}

TEST(dying_says_why_and_exits_with_one) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
                die("cannot %s", "go on");
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 1);
        assert_non_null(strstr(said(err[0]), "lifeos-test: cannot go on\n"));
}

TEST(errno_survives_logging) {
        errno = 42;
        log_info("hello");
        assert_int_equal(errno, 42);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                T(without_a_journal_a_plain_line_goes_to_stderr),
                T(below_the_level_nothing_is_said),
                T(the_journal_gets_fields),
                T(no_value_can_inject_a_field_or_a_line),
                T(text_stays_text_and_other_bytes_are_escaped),
                T(every_value_is_cut_at_its_bound),
                T(when_the_journal_is_gone_stderr_says_it_with_its_level),
                T(dying_says_why_and_exits_with_one),
                T(errno_survives_logging),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
