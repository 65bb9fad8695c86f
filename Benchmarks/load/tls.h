// TLS for the generator's connections: OpenSSL's client over the socket, nothing verified, no session resumed.
#ifndef TLS_H
#define TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct ssl_st tls_session;

tls_session *tls_open(int fd);
void tls_close(tls_session *session);

bool tls_is_in_handshake(tls_session *session);

/// As `write` and `read` of a socket that doesn't block: EAGAIN while more has to come first. A read takes what is there, up to
/// `count`, as many records as it is.
ssize_t tls_write(tls_session *session, const void *bytes, size_t count);
ssize_t tls_read(tls_session *session, void *bytes, size_t count);

#endif
