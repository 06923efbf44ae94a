/* socket_say.c - what the server says on a socket, as frames. */
#include "socket.h"

void socket_event(struct buf *out, uint64_t sequence, struct slice event) {
        struct buf text;

        (void)sequence; /* the event has it */
        buf_init(&text, event.n + 64u);
        buf_str(&text, "{\"op\":\"event\",\"event\":");
        buf_slice(&text, event);
        buf_char(&text, '}');
        out->over |= text.over;
        ws_frame(out, buf_view(&text));
        buf_free(&text);
}
