/* socket.h - GET /v1/realtime/ws: one WebSocket follows many sessions; what is said on it, and when it ends. */
#pragma once

#include "follow.h"
#include "ws.h"

/* An event as the frame {"op":"event","event":...}. */
void socket_event(struct buf *out, uint64_t sequence, struct slice event);
