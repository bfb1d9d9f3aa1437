// A connection to a broker of MQTT through libmosquitto 2, step by step: its callbacks only note down what came.
// Compiled without VIFI_MQTT nothing of the library is there, and vifi_mqtt_is_built says so.
//
// One thread at a time uses a connection. Functions that return a code return zero on success, else one that
// vifi_mqtt_error_text puts into words.
#ifndef VIFI_MQTT_H
#define VIFI_MQTT_H

#include <stddef.h>

// Whether the program was built with libmosquitto.
int vifi_mqtt_is_built(void);

// Version of the library that is there at run time, "2.0.11"; "" without it. Never freed.
const char *vifi_mqtt_version(void);

typedef struct vifi_mqtt vifi_mqtt;

enum {
    // Nothing came yet.
    VIFI_MQTT_NOTHING = -1,
    // The broker does not speak this version.
    VIFI_MQTT_OTHER_VERSION = 132,
    // Reasons from here on are refusals in version 5.
    VIFI_MQTT_FIRST_REFUSAL = 128,
};

// A connection that is not there yet. `identifier` names it to the broker, `version` is 5 or 4, which stands for
// 3.1.1. NULL where memory is short. Signals for broken pipes are kept from the calling thread from then on.
vifi_mqtt *vifi_mqtt_create(const char *identifier, int version);

// Leaves the broker, and frees everything. NULL is nothing.
void vifi_mqtt_free(vifi_mqtt *connection);

// Goes to a broker: by TLS, with certificates that the system trusts, where `is_encrypted`. `user` and `password` may be
// NULL. Waits for the name's address and for the host, as long as the system does, not for the broker's greeting.
int vifi_mqtt_connect(vifi_mqtt *connection, const char *host, int port, int is_encrypted, const char *user, const char *password);

// Sends and receives what there is, waiting for so long at most.
int vifi_mqtt_turn(vifi_mqtt *connection, int milliseconds);

// What the broker said to the connection: zero where it was accepted, VIFI_MQTT_NOTHING before.
int vifi_mqtt_greeting(const vifi_mqtt *connection);

// Begins to send a message that is to be acknowledged (QoS 1) and not to be kept (no retaining).
int vifi_mqtt_publish(vifi_mqtt *connection, const char *topic, const void *bytes, size_t count);

// What the broker said to the last message: VIFI_MQTT_NOTHING before.
int vifi_mqtt_acknowledgment(const vifi_mqtt *connection);

// Whether a code is about the message alone: it would fare no better the next time.
int vifi_mqtt_is_about_message(int code);

// Words for a code; right after the call that returned it, since some are those of `errno`. Never freed.
const char *vifi_mqtt_error_text(int code);

// Words for a greeting or an acknowledgment that is a refusal. Never freed.
const char *vifi_mqtt_reason_text(const vifi_mqtt *connection, int reason);

#endif
