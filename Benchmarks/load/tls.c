#include "tls.h"

#include "measure.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context(void) {
    static SSL_CTX *made;
    if (made) return made;
    made = SSL_CTX_new(TLS_client_method());
    if (!made) die("OpenSSL gives no context");
    SSL_CTX_set_verify(made, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return made;
}

tls_session *tls_open(int fd) {
    SSL *session = SSL_new(context());
    if (!session || !SSL_set_fd(session, fd)) die("OpenSSL gives no session");
    SSL_set_connect_state(session);
    return session;
}

void tls_close(tls_session *session) { SSL_free(session); }

bool tls_is_in_handshake(tls_session *session) { return !SSL_is_init_finished(session); }

static ssize_t outcome(SSL *session, int result) {
    if (result > 0) return result;
    switch (SSL_get_error(session, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return errno ? -1 : 0;
    default: errno = EPROTO; return -1;
    }
}

ssize_t tls_write(tls_session *session, const void *bytes, size_t count) {
    ERR_clear_error();
    errno = 0;
    return outcome(session, SSL_write(session, bytes, count > INT_MAX ? INT_MAX : (int)count));
}

ssize_t tls_read(tls_session *session, void *bytes, size_t count) {
    size_t taken = 0;
    while (taken < count) {
        ERR_clear_error();
        errno = 0;
        ssize_t some = outcome(session, SSL_read(session, (char *)bytes + taken, (int)(count - taken)));
        if (some <= 0) return taken ? (ssize_t)taken : some;
        taken += (size_t)some;
    }
    return (ssize_t)taken;
}
