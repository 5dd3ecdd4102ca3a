// What both floors know of RFC 6455: frames as far as a client sends them to a server, and the key of the handshake.
// Pure functions on bytes.

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

enum { MESSAGE_MAX = 16 << 20 };
enum opcode { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };

struct frame {
    enum opcode opcode;
    unsigned char *mask, *payload; // The payload is still masked.
    size_t length, whole;          // `whole`: bytes needed to know more, at last those of the whole frame.
};

static size_t header_length(size_t length)
{
    return length < 126 ? 2 : length <= 0xFFFF ? 4 : 10;
}

static void put_header(unsigned char *at, enum opcode opcode, uint64_t length)
{
    size_t more = header_length(length) - 2;
    at[0] = 0x80 | opcode;
    at[1] = more == 0 ? length : more == 2 ? 126 : 127;
    for (size_t i = 0; i < more; i++) at[2 + i] = length >> 8 * (more - 1 - i);
}

static void unmask(unsigned char *to, const struct frame *frame)
{
    size_t i = 0;
    uint32_t half;
    memcpy(&half, frame->mask, 4);
    uint64_t mask = (uint64_t)half << 32 | half, word;
    for (; i + 8 <= frame->length; i += 8) {
        memcpy(&word, frame->payload + i, 8);
        word ^= mask;
        memcpy(to + i, &word, 8);
    }
    for (; i < frame->length; i++) to[i] = frame->payload[i] ^ frame->mask[i & 3];
}

// Finds the frame at the start of these bytes: 1 if it is there, 0 if more is needed, -1 if it must not be.
static int find_frame(unsigned char *at, size_t n, struct frame *frame)
{
    if (n < (frame->whole = 2)) return 0;
    if ((at[0] & 0x70) || !(at[0] & 0x80) || !(at[1] & 0x80)) return -1;
    frame->opcode = at[0] & 15;
    uint64_t length = at[1] & 127;
    size_t more = length == 127 ? 8 : length == 126 ? 2 : 0;
    if (n < (frame->whole = 2 + more + 4)) return 0;
    if (more) length = 0;
    for (size_t i = 0; i < more; i++) length = length << 8 | at[2 + i];
    if (length > (frame->opcode < CLOSE ? MESSAGE_MAX : 125)) return -1;
    frame->mask = at + 2 + more;
    frame->payload = frame->mask + 4;
    frame->length = length;
    frame->whole += length;
    return n >= frame->whole;
}

static void sha1_block(uint32_t hash[5], const unsigned char *block)
{
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (int i = 0; i < 80; i++) {
        if (i < 16) {
            memcpy(&w[i], block + 4 * i, 4);
            w[i] = ntohl(w[i]);
        } else {
            uint32_t word = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = word << 1 | word >> 31;
        }
        uint32_t mixed = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                                  : (b ^ c ^ d) + 0xCA62C1D6;
        uint32_t next = (a << 5 | a >> 27) + mixed + e + w[i];
        e = d, d = c, c = b << 30 | b >> 2, b = a, a = next;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
}

// RFC 6455 section 4.2.2: base64 of the SHA-1 of key and GUID. Together they are 60 bytes, which pad to two blocks.
static void accept_key(const char *key, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t hash[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    unsigned char text[128] = {0}, digest[21] = {0};
    memcpy(text, key, 24);
    memcpy(text + 24, "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", 36);
    text[60] = 0x80;
    text[126] = 60 * 8 >> 8, text[127] = 60 * 8 & 0xFF;
    sha1_block(hash, text);
    sha1_block(hash, text + 64);
    for (int i = 0; i < 20; i++) digest[i] = hash[i / 4] >> (24 - 8 * (i % 4));
    for (int i = 0; i < 28; i++) {
        int at = i * 6 / 8, shift = 10 - i * 6 % 8;
        out[i] = digits[((digest[at] << 8 | (at < 20 ? digest[at + 1] : 0)) >> shift) & 63];
    }
    out[27] = '=';
}
