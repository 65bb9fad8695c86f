// MQTT 3.1.1 packets, as far as a load needs them: encoded at the end of a `struct bytes`, decoded in place.
#ifndef MQTT_H
#define MQTT_H

#include "bytes.h"

#include <stdbool.h>
#include <sys/types.h>

enum packet_type {
    CONNECT = 1, CONNACK = 2, PUBLISH = 3, PUBACK = 4, PUBREC = 5, PUBREL = 6, PUBCOMP = 7,
    SUBSCRIBE = 8, SUBACK = 9, DISCONNECT = 14,
};

struct packet {
    uint8_t type, qos;
    uint8_t code;            // CONNACK: return code; SUBACK: granted QoS
    uint16_t identifier;     // 0 where the packet has none
    const uint8_t *payload;  // PUBLISH only
    size_t payload_size;
};

/// The size of the packet at `at`, 0 when `size` bytes don't hold all of it, -1 when it is no packet.
ssize_t mqtt_decode(const uint8_t *at, size_t size, struct packet *packet);

void mqtt_connect(struct bytes *out, const char *client_id, bool clean_session);
void mqtt_subscribe(struct bytes *out, const char *filter, int qos);
void mqtt_acknowledge(struct bytes *out, enum packet_type type, uint16_t identifier);
void mqtt_disconnect(struct bytes *out);

/// A PUBLISH up to its payload; the returned `payload_size` bytes are the caller's to fill.
uint8_t *mqtt_publish(struct bytes *out, const char *topic, size_t topic_size, int qos, uint16_t identifier,
                      size_t payload_size);

#endif
