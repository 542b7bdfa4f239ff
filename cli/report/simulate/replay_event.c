/* What is still to happen to the calls of a replay, the soonest first: a heap. */

#include "replay_int.h"
#include "llmctl.h"

#include <errno.h>
#include <stdlib.h>


static bool
sooner(const replay_event_t *a, const replay_event_t *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}


bool
replay_event_add(replay_t *p, int64_t time, bool again, replay_live_t *live)
{
    size_t           i, up, room;
    replay_event_t   e = { time, p->order++, again, live }, *grown;

    if (p->nevents == p->room) {
        room = p->room == 0 ? 256 : p->room * 2;
        grown = realloc(p->events, room * sizeof(replay_event_t));

        if (grown == NULL) {
            replay_live_free(live);
            return failed("simulate", strerror(ENOMEM));
        }

        p->events = grown;
        p->room = room;
    }

    for (i = p->nevents++; i > 0; i = up) {
        up = (i - 1) / 2;

        if (!sooner(&e, &p->events[up])) {
            break;
        }

        p->events[i] = p->events[up];
    }

    p->events[i] = e;

    return true;
}


replay_event_t
replay_event_take(replay_t *p)
{
    size_t          i = 0, child;
    replay_event_t  first = p->events[0], last = p->events[--p->nevents];

    for ( ;; ) {
        child = 2 * i + 1;

        if (child >= p->nevents) {
            break;
        }

        if (child + 1 < p->nevents
            && sooner(&p->events[child + 1], &p->events[child]))
        {
            child++;
        }

        if (!sooner(&p->events[child], &last)) {
            break;
        }

        p->events[i] = p->events[child];
        i = child;
    }

    p->events[i] = last;

    return first;
}
