#include "CMosquitto.h"

#ifndef VIFI_MQTT

enum { not_built = -1 };

int vifi_mqtt_is_built(void) { return 0; }
const char *vifi_mqtt_version(void) { return ""; }
vifi_mqtt *vifi_mqtt_create(const char *identifier, int version) {
    (void)identifier, (void)version;
    return NULL;
}
void vifi_mqtt_free(vifi_mqtt *connection) { (void)connection; }
int vifi_mqtt_connect(vifi_mqtt *connection, const char *host, int port, int is_encrypted, const char *user, const char *password) {
    (void)connection, (void)host, (void)port, (void)is_encrypted, (void)user, (void)password;
    return not_built;
}
int vifi_mqtt_turn(vifi_mqtt *connection, int milliseconds) {
    (void)connection, (void)milliseconds;
    return not_built;
}
int vifi_mqtt_greeting(const vifi_mqtt *connection) {
    (void)connection;
    return VIFI_MQTT_NOTHING;
}
int vifi_mqtt_publish(vifi_mqtt *connection, const char *topic, const void *bytes, size_t count) {
    (void)connection, (void)topic, (void)bytes, (void)count;
    return not_built;
}
int vifi_mqtt_acknowledgment(const vifi_mqtt *connection) {
    (void)connection;
    return VIFI_MQTT_NOTHING;
}
int vifi_mqtt_is_about_message(int code) {
    (void)code;
    return 0;
}
const char *vifi_mqtt_error_text(int code) {
    (void)code;
    return "the program was built without libmosquitto";
}
const char *vifi_mqtt_reason_text(const vifi_mqtt *connection, int reason) {
    (void)connection;
    return vifi_mqtt_error_text(reason);
}

#else

#include <errno.h>
#include <limits.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct vifi_mqtt {
    struct mosquitto *client;
    int version;
    int greeting;
    // Of the last message: the number that the library gave it.
    int message;
    int acknowledgment;
};

enum {
    // Seconds after which a connection that rests asks whether the broker is still there.
    keepalive = 30,
};

int vifi_mqtt_is_built(void) { return 1; }

const char *vifi_mqtt_version(void) {
    static char text[32];
    int major, minor, revision;
    mosquitto_lib_version(&major, &minor, &revision);
    if (!text[0]) snprintf(text, sizeof text, "%d.%d.%d", major, minor, revision);
    return text;
}

static void greeted(struct mosquitto *client, void *own, int reason, int flags, const mosquitto_property *properties) {
    (void)client, (void)flags, (void)properties;
    vifi_mqtt *connection = own;
    int is_other = connection->version != MQTT_PROTOCOL_V5 && reason == CONNACK_REFUSED_PROTOCOL_VERSION;
    connection->greeting = is_other ? VIFI_MQTT_OTHER_VERSION : reason;
}

static void acknowledged(struct mosquitto *client, void *own, int message, int reason, const mosquitto_property *properties) {
    (void)client, (void)properties;
    vifi_mqtt *connection = own;
    if (message == connection->message) connection->acknowledgment = reason;
}

static void start_library(void) { mosquitto_lib_init(); }

vifi_mqtt *vifi_mqtt_create(const char *identifier, int version) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_library);
    // Writing to a broker that hung up is an error to look at. The library has the whole process ignore the signal,
    // which is not its business: a program behind a pipe ends by it.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, NULL);
    struct sigaction before;
    sigaction(SIGPIPE, NULL, &before);
    vifi_mqtt *connection = calloc(1, sizeof *connection);
    if (connection) connection->client = mosquitto_new(identifier, 1, connection);
    sigaction(SIGPIPE, &before, NULL);
    if (!connection || !connection->client) {
        free(connection);
        return NULL;
    }
    connection->version = version;
    connection->greeting = connection->acknowledgment = VIFI_MQTT_NOTHING;
    mosquitto_int_option(connection->client, MOSQ_OPT_PROTOCOL_VERSION, version);
    mosquitto_int_option(connection->client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(connection->client, greeted);
    mosquitto_publish_v5_callback_set(connection->client, acknowledged);
    return connection;
}

void vifi_mqtt_free(vifi_mqtt *connection) {
    if (!connection) return;
    // What is about to be sent is sent; without a connection nothing happens.
    mosquitto_disconnect(connection->client);
    mosquitto_destroy(connection->client);
    free(connection);
}

int vifi_mqtt_connect(vifi_mqtt *connection, const char *host, int port, int is_encrypted, const char *user, const char *password) {
    struct mosquitto *client = connection->client;
    int code = user ? mosquitto_username_pw_set(client, user, password) : MOSQ_ERR_SUCCESS;
    if (!code && is_encrypted) code = mosquitto_int_option(client, MOSQ_OPT_TLS_USE_OS_CERTS, 1);
    return code ? code : mosquitto_connect(client, host, port, keepalive);
}

int vifi_mqtt_turn(vifi_mqtt *connection, int milliseconds) { return mosquitto_loop(connection->client, milliseconds, 1); }

int vifi_mqtt_greeting(const vifi_mqtt *connection) { return connection->greeting; }

int vifi_mqtt_publish(vifi_mqtt *connection, const char *topic, const void *bytes, size_t count) {
    if (count > INT_MAX) return MOSQ_ERR_PAYLOAD_SIZE;
    connection->acknowledgment = VIFI_MQTT_NOTHING;
    // The number is written before anything is sent.
    return mosquitto_publish(connection->client, &connection->message, topic, (int)count, bytes, 1, 0);
}

int vifi_mqtt_acknowledgment(const vifi_mqtt *connection) { return connection->acknowledgment; }

int vifi_mqtt_is_about_message(int code) {
    return code == MOSQ_ERR_PAYLOAD_SIZE || code == MOSQ_ERR_OVERSIZE_PACKET || code == MOSQ_ERR_QOS_NOT_SUPPORTED
        || code == MOSQ_ERR_INVAL || code == MOSQ_ERR_MALFORMED_UTF8;
}

const char *vifi_mqtt_error_text(int code) {
    switch (code) {
    case MOSQ_ERR_ERRNO: return strerror(errno);
    case MOSQ_ERR_EAI: return gai_strerror(errno);
    // The library's words tell of a function's arguments.
    case MOSQ_ERR_NO_CONN:
    case MOSQ_ERR_CONN_LOST: return "the broker closed the connection";
    case MOSQ_ERR_TLS: return "no encrypted connection came about, for which this machine must trust the broker's certificate";
    default: return mosquitto_strerror(code);
    }
}

const char *vifi_mqtt_reason_text(const vifi_mqtt *connection, int reason) {
    return connection->version == MQTT_PROTOCOL_V5 || reason >= VIFI_MQTT_FIRST_REFUSAL ? mosquitto_reason_string(reason)
                                                                                       : mosquitto_connack_string(reason);
}

#endif
