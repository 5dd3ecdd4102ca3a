// The two floors: what a chat server on epoll costs when it does nothing else. No server that speaks the protocol can
// do with less, so the others are measured as multiples of them.
//
// floor        a message is encoded once, then sent with one send() to each of the others.
// floor --batch   what arrives in one turn of the loop is encoded into one buffer, which is sent with one send() to
//              each member at the end of the turn. Who spoke in this turn gets the pieces around its own messages, in
//              one sendmsg().
//
// Sockets are registered once, edge-triggered. A read that fills less than its buffer has drained the socket, which
// saves the read that would only say so; a peer whose buffer was full is read again in the next turn, which then does
// not sleep. Nobody is freed before the end of a turn, so no event of the turn can point to a peer that is gone.
//
// Left out, because a floor has no use for it: fragments, UTF-8 checks, tokens, rooms, heartbeats, timeouts.
//
// floor --listen 127.0.0.1:0 [--echo] [--batch]

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "wire.h"

enum {
    EVENTS_MAX = 4096,
    READ_MAX = 64 << 10,
    HEAD_MAX = 8 << 10,
    NAME_BYTES_MAX = 32,
    BATCH_MAX = 256 << 10,
    PARTS_MAX = 256,
    UNSENT_MAX_CHAT = 1 << 20,
    UNSENT_MAX_ECHO = 64 << 20,
};

struct bytes {
    unsigned char *at;
    size_t length, room;
};

struct peer {
    int fd;
    enum { HANDSHAKE, UNNAMED, OPEN, DEAD } state;
    bool ended, again; // The other side has finished writing; it is on the list `again`.
    unsigned char name_length;
    char name[NAME_BYTES_MAX];
    unsigned member;             // Its place in `members` while it is OPEN.
    unsigned own_first, own_last; // Its own messages of this turn in `spans`, 0 for none.
    struct bytes held;           // A frame or request head that is not whole yet.
    struct bytes unsent;         // What the kernel did not take,
    size_t unsent_from;          // and how much of that it took later.
    struct peer *next_again, *next_dead;
};

static struct span {
    size_t start, end;
    unsigned next;
} *spans; // Parts of `outgoing` that their own sender does not get. The first is never used, so 0 can mean none.
static unsigned spans_length = 1, spans_room;

static int poll_fd, listener;
static bool echo, batch, out_of_files;
static struct bytes outgoing; // The frame or, with --batch, all frames of this turn.
static struct peer **members, *again, *dead;
static unsigned members_length, members_room;

static void *or_die(void *memory)
{
    if (!memory) abort();
    return memory;
}

static void reserve(struct bytes *bytes, size_t room)
{
    if (bytes->room >= room) return;
    bytes->at = or_die(realloc(bytes->at, room));
    bytes->room = room;
}

static unsigned char *extend(struct bytes *bytes, size_t n)
{
    if (bytes->room < bytes->length + n) reserve(bytes, (bytes->length + n) * 2);
    bytes->length += n;
    return bytes->at + bytes->length - n;
}

static void release(struct bytes *bytes)
{
    free(bytes->at);
    *bytes = (struct bytes){0};
}

static void end(struct peer *peer)
{
    if (peer->state == DEAD) return;
    if (peer->state == OPEN) {
        struct peer *last = members[--members_length];
        members[last->member = peer->member] = last;
    }
    peer->state = DEAD;
    peer->next_dead = dead;
    dead = peer;
}

// ---- Sending

static void watch(struct peer *peer, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = peer};
    if (epoll_ctl(poll_fd, operation, peer->fd, &event)) end(peer);
}

static void keep_unsent(struct peer *peer, const void *at, size_t n)
{
    size_t unsent_max = echo ? UNSENT_MAX_ECHO : UNSENT_MAX_CHAT;
    if (peer->unsent.length - peer->unsent_from + n > unsent_max) {
        end(peer);
        return;
    }
    bool first = !peer->unsent.length;
    if (peer->unsent_from > peer->unsent.length / 2) {
        peer->unsent.length -= peer->unsent_from;
        memmove(peer->unsent.at, peer->unsent.at + peer->unsent_from, peer->unsent.length);
        peer->unsent_from = 0;
    }
    memcpy(extend(&peer->unsent, n), at, n);
    if (first) watch(peer, EPOLL_CTL_MOD, EPOLLOUT);
}

static void send_bytes(struct peer *peer, const unsigned char *at, size_t n)
{
    ssize_t sent = peer->unsent.length ? 0 : send(peer->fd, at, n, MSG_NOSIGNAL);
    if (sent == (ssize_t)n) return;
    if (sent >= 0 || errno == EAGAIN) {
        if (sent < 0) sent = 0;
        keep_unsent(peer, at + sent, n - sent);
    } else {
        end(peer);
    }
}

static void send_parts(struct peer *peer, struct iovec *parts, size_t count)
{
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t sent = peer->unsent.length ? 0 : sendmsg(peer->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) end(peer);
    size_t skip = sent < 0 ? 0 : sent;
    for (size_t i = 0; i < count && peer->state != DEAD; i++) {
        size_t taken = skip < parts[i].iov_len ? skip : parts[i].iov_len;
        skip -= taken;
        if (taken < parts[i].iov_len) keep_unsent(peer, (char *)parts[i].iov_base + taken, parts[i].iov_len - taken);
    }
}

static bool send_unsent(struct peer *peer)
{
    size_t rest = peer->unsent.length - peer->unsent_from;
    ssize_t sent = send(peer->fd, peer->unsent.at + peer->unsent_from, rest, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) end(peer);
    if (sent > 0) peer->unsent_from += sent;
    if (sent != (ssize_t)rest) return false;
    release(&peer->unsent);
    peer->unsent_from = 0;
    watch(peer, EPOLL_CTL_MOD, 0);
    return true;
}

static void send_around_own(struct peer *peer)
{
    struct iovec parts[PARTS_MAX];
    size_t count = 0, from = 0;
    for (unsigned own = peer->own_first;; own = spans[own].next) {
        size_t to = own ? spans[own].start : outgoing.length;
        if (to > from) parts[count++] = (struct iovec){outgoing.at + from, to - from};
        if (count && (count == PARTS_MAX || !own)) {
            send_parts(peer, parts, count);
            count = 0;
        }
        if (!own || peer->state == DEAD) break;
        from = spans[own].end;
    }
    peer->own_first = peer->own_last = 0;
}

static void send_to_others(struct peer *sender)
{
    // Backwards, because end() fills the gap with the last member, which has had its turn.
    for (unsigned i = members_length; i-- > 0;)
        if (members[i] != sender) send_bytes(members[i], outgoing.at, outgoing.length);
    outgoing.length = 0;
}

static void send_batch(void)
{
    if (!outgoing.length) return;
    for (unsigned i = members_length; i-- > 0;) {
        if (members[i]->own_first)
            send_around_own(members[i]);
        else
            send_bytes(members[i], outgoing.at, outgoing.length);
    }
    outgoing.length = 0;
    spans_length = 1;
}

static void skip_for(struct peer *peer, size_t start, size_t end)
{
    if (peer->own_last && spans[peer->own_last].end == start) {
        spans[peer->own_last].end = end;
        return;
    }
    if (spans_length >= spans_room) spans = or_die(realloc(spans, (spans_room = spans_length * 2) * sizeof *spans));
    spans[spans_length] = (struct span){start, end, 0};
    if (peer->own_last)
        spans[peer->own_last].next = spans_length;
    else
        peer->own_first = spans_length;
    peer->own_last = spans_length++;
}

// ---- Frames

// A server's header is shorter than a client's, so the answer fits in place: header and payload, ready for one send().
static void reply_in_place(struct peer *peer, enum opcode opcode, struct frame *frame)
{
    size_t header = header_length(frame->length);
    unmask(frame->payload, frame);
    put_header(frame->payload - header, opcode, frame->length);
    send_bytes(peer, frame->payload - header, header + frame->length);
}

static void encode(struct frame *frame, const char *prefix, size_t prefix_length)
{
    size_t length = prefix_length + frame->length, header = header_length(length);
    unsigned char *at = extend(&outgoing, header + length);
    put_header(at, frame->opcode, length);
    if (prefix_length) memcpy(at + header, prefix, prefix_length);
    unmask(at + header + prefix_length, frame);
}

// ---- The chat

static void name_peer(struct peer *peer, struct frame *frame)
{
    if (frame->length > NAME_BYTES_MAX) {
        end(peer);
        return;
    }
    unsigned char hello[2 + 6 + NAME_BYTES_MAX] = {0x80 | TEXT, 6 + frame->length, 'h', 'e', 'l', 'l', 'o', ' '};
    unmask(hello + 8, frame);
    memcpy(peer->name, hello + 8, peer->name_length = frame->length);
    if (members_length == members_room) {
        members_room = members_room * 2 + 64;
        members = or_die(realloc(members, members_room * sizeof *members));
    }
    members[peer->member = members_length++] = peer;
    peer->state = OPEN;
    // What others said before in this turn is not for it.
    if (outgoing.length) skip_for(peer, 0, outgoing.length);
    send_bytes(peer, hello, 8 + frame->length);
}

static void say(struct peer *peer, struct frame *frame)
{
    char prefix[NAME_BYTES_MAX + 2];
    size_t start = outgoing.length;
    memcpy(prefix, peer->name, peer->name_length);
    memcpy(prefix + peer->name_length, ": ", 2);
    encode(frame, prefix, peer->name_length + 2);
    if (!batch) {
        send_to_others(peer);
        return;
    }
    skip_for(peer, start, outgoing.length);
    if (outgoing.length >= BATCH_MAX) send_batch();
}

static size_t take_frame(struct peer *peer, unsigned char *at, size_t n, size_t *wanted)
{
    struct frame frame;
    int found = find_frame(at, n, &frame);
    *wanted = frame.whole;
    if (found < 0) end(peer);
    if (found <= 0) return 0;
    if (frame.opcode == CLOSE || frame.opcode == PING) {
        reply_in_place(peer, frame.opcode == PING ? PONG : CLOSE, &frame);
        if (frame.opcode == CLOSE) end(peer);
    } else if (frame.opcode != TEXT && frame.opcode != BINARY) {
        if (frame.opcode != PONG) end(peer);
    } else if (echo) {
        if (batch) encode(&frame, NULL, 0);
        else reply_in_place(peer, frame.opcode, &frame);
    } else if (peer->state == UNNAMED) {
        name_peer(peer, &frame);
    } else {
        say(peer, &frame);
    }
    return frame.whole;
}

// ---- The handshake

static size_t take_head(struct peer *peer, unsigned char *at, size_t n, size_t *wanted)
{
    static const char refusal[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    static const char field[] = "\nSec-WebSocket-Key:";
    char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Accept: ............................\r\n\r\n";
    *wanted = HEAD_MAX;
    unsigned char *blank = memmem(at, n, "\r\n\r\n", 4);
    if (!blank && n >= HEAD_MAX) end(peer);
    if (!blank) return 0;
    const char *key = NULL;
    for (unsigned char *line = at; !key && (line = memchr(line, '\n', blank - line)); line++)
        if (!strncasecmp((char *)line, field, sizeof field - 1)) key = (char *)line + sizeof field - 1;
    while (key && *key == ' ') key++;
    if (n < 8 || memcmp(at, "GET /ws ", 8) || !key || key + 24 > (char *)blank) {
        send_bytes(peer, (const unsigned char *)refusal, sizeof refusal - 1);
        end(peer);
        return 0;
    }
    accept_key(key, answer + sizeof answer - 1 - 4 - 28);
    peer->state = UNNAMED;
    send_bytes(peer, (unsigned char *)answer, sizeof answer - 1);
    return blank + 4 - at;
}

// ---- The loop

static void read_again(struct peer *peer)
{
    if (peer->again) return;
    peer->again = true;
    peer->next_again = again;
    again = peer;
}

static void receive(struct peer *peer)
{
    static unsigned char shared[READ_MAX];
    // Whoever does not read its echo is not read either; send_unsent comes back here.
    if (peer->state == DEAD || (echo && peer->unsent.length)) return;
    struct bytes *held = &peer->held;
    bool begun = held->length > 0;
    unsigned char *at = begun ? held->at : shared;
    size_t room = begun ? held->room - held->length : READ_MAX, used = 0, took, wanted = 0;
    ssize_t got = recv(peer->fd, at + held->length, room, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) end(peer);
    if (got <= 0) return;
    if ((size_t)got == room || peer->ended) read_again(peer);

    size_t n = held->length + got;
    do {
        took = (peer->state == HANDSHAKE ? take_head : take_frame)(peer, at + used, n - used, &wanted);
        used += took;
    } while (took && peer->state != DEAD);
    if (echo && outgoing.length) {
        if (peer->state != DEAD) send_bytes(peer, outgoing.at, outgoing.length);
        outgoing.length = 0;
    }
    size_t rest = n - used;
    if (!rest || peer->state == DEAD) {
        release(held);
        return;
    }
    reserve(held, wanted);
    memmove(held->at, begun ? held->at + used : at + used, rest);
    held->length = rest;
}

static void accept_all(void)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        out_of_files = fd < 0 && errno != EAGAIN;
        if (fd < 0) return;
        struct peer *peer = or_die(calloc(1, sizeof *peer));
        peer->fd = fd;
        watch(peer, EPOLL_CTL_ADD, 0);
    }
}

static void ready(struct peer *peer, uint32_t events)
{
    if (peer->state == DEAD) return;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) peer->ended = true;
    bool drained = (events & EPOLLOUT) && peer->unsent.length && send_unsent(peer);
    if ((events & ~EPOLLOUT) || (echo && drained)) receive(peer);
}

static void reap(void)
{
    struct peer *peer = dead;
    bool freed = false;
    dead = NULL;
    while (peer) {
        struct peer *next = peer->next_dead;
        if (peer->again) { // It is let go when that list has been worked through.
            peer->next_dead = dead;
            dead = peer;
        } else {
            close(peer->fd);
            release(&peer->held);
            release(&peer->unsent);
            free(peer);
            freed = true;
        }
        peer = next;
    }
    // The listener's edge is spent: whoever waits there since descriptors ran out would wait for the next to come.
    if (freed && out_of_files) accept_all();
}

static void turn(void)
{
    static struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(poll_fd, events, EVENTS_MAX, again ? 0 : -1);
    struct peer *runnable = again;
    again = NULL;
    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr) ready(events[i].data.ptr, events[i].events);
        else accept_all();
    }
    while (runnable) {
        struct peer *peer = runnable;
        runnable = peer->next_again;
        peer->again = false;
        receive(peer);
    }
    send_batch();
    reap();
}

static int listen_on(const char *where)
{
    char host[64] = "";
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    unsigned short port = 0;
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (sscanf(where, "%63[^:]:%hu", host, &port) != 2 || inet_pton(AF_INET, host, &address.sin_addr) != 1) return -1;
    address.sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Accepted sockets inherit it.
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) || listen(fd, SOMAXCONN)) return -1;
    getsockname(fd, (struct sockaddr *)&address, &length);
    printf("listening on %s:%d\n", host, ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    const char *where = "127.0.0.1:0";
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--echo")) echo = true;
        else if (!strcmp(argv[i], "--batch")) batch = true;
        else if (!strcmp(argv[i], "--listen") && argv[i + 1]) where = argv[++i];
        else if (!strcmp(argv[i], "--token") && argv[i + 1]) i++;
        else return fprintf(stderr, "floor: what is %s?\n", argv[i]), 2;
    }
    if ((listener = listen_on(where)) < 0) return perror("floor: listen"), 1;
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    if (poll_fd < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &event)) return perror("floor: epoll"), 1;
    for (;;) turn();
}
