#include "mqtt.h"

enum { KEEP_ALIVE_SECONDS = 600 };

static uint8_t *put_u16(uint8_t *to, unsigned value) {
    *to++ = (uint8_t)(value >> 8);
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_text(uint8_t *to, const char *text, size_t size) {
    to = put_u16(to, (unsigned)size);
    memcpy(to, text, size);
    return to + size;
}

/// The fixed header; room for the whole packet is reserved here, once.
static uint8_t *begin(struct bytes *out, uint8_t first, size_t remaining) {
    uint8_t *to = bytes_reserve(out, remaining + 5);
    *to++ = first;
    do {
        uint8_t digit = remaining & 127;
        remaining >>= 7;
        *to++ = remaining ? digit | 128 : digit;
    } while (remaining);
    return to;
}

static void end(struct bytes *out, const uint8_t *to) { out->size = (size_t)(to - out->at); }

void mqtt_connect(struct bytes *out, const char *client_id, bool clean_session) {
    size_t size = strlen(client_id);
    uint8_t *to = begin(out, CONNECT << 4, 12 + size);
    to = put_text(to, "MQTT", 4);
    *to++ = 4;
    *to++ = clean_session ? 2 : 0;
    to = put_u16(to, KEEP_ALIVE_SECONDS);
    end(out, put_text(to, client_id, size));
}

void mqtt_subscribe(struct bytes *out, const char *filter, int qos) {
    size_t size = strlen(filter);
    uint8_t *to = begin(out, SUBSCRIBE << 4 | 2, 5 + size);
    to = put_u16(to, 1);
    to = put_text(to, filter, size);
    *to++ = (uint8_t)qos;
    end(out, to);
}

void mqtt_acknowledge(struct bytes *out, enum packet_type type, uint16_t identifier) {
    uint8_t *to = begin(out, (uint8_t)(type << 4 | (type == PUBREL ? 2 : 0)), 2);
    end(out, put_u16(to, identifier));
}

void mqtt_disconnect(struct bytes *out) { end(out, begin(out, DISCONNECT << 4, 0)); }

uint8_t *mqtt_publish(struct bytes *out, const char *topic, size_t topic_size, int qos, uint16_t identifier,
                      size_t payload_size) {
    size_t remaining = 2 + topic_size + (qos ? 2 : 0) + payload_size;
    uint8_t *to = begin(out, (uint8_t)(PUBLISH << 4 | qos << 1), remaining);
    to = put_text(to, topic, topic_size);
    if (qos) to = put_u16(to, identifier);
    end(out, to + payload_size);
    return to;
}

ssize_t mqtt_decode(const uint8_t *at, size_t size, struct packet *packet) {
    size_t remaining = 0, header = 1;
    for (unsigned shift = 0;; shift += 7) {
        if (header >= size) return 0;
        if (shift > 21) return -1;
        remaining |= (size_t)(at[header] & 127) << shift;
        if (!(at[header++] & 128)) break;
    }
    if (size < header + remaining) return 0;

    const uint8_t *body = at + header;
    *packet = (struct packet){.type = at[0] >> 4, .qos = at[0] >> 1 & 3};
    if (packet->type == PUBLISH) {
        if (remaining < 2) return -1;
        size_t used = 2 + ((size_t)body[0] << 8 | body[1]);
        if (remaining < used + (packet->qos ? 2 : 0)) return -1;
        if (packet->qos) {
            packet->identifier = (uint16_t)(body[used] << 8 | body[used + 1]);
            used += 2;
        }
        packet->payload = body + used;
        packet->payload_size = remaining - used;
    } else if (remaining >= 2) {
        if (packet->type == CONNACK) packet->code = body[1];
        else packet->identifier = (uint16_t)(body[0] << 8 | body[1]);
        if (packet->type == SUBACK && remaining > 2) packet->code = body[2];
    }
    return (ssize_t)(header + remaining);
}
