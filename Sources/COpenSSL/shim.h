#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// What OpenSSL has as macros alone, which Swift doesn't see. Named after them.

static inline int tls_ctx_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline void tls_ctx_set_mode(SSL_CTX *context, long mode) { SSL_CTX_set_mode(context, mode); }
static inline void tls_ctx_set_session_cache_mode(SSL_CTX *context, long mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}
static inline void tls_ctx_set_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
}
static inline void tls_ctx_set_servername_arg(SSL_CTX *context, void *argument) {
    SSL_CTX_set_tlsext_servername_arg(context, argument);
}
static inline int tls_ctx_get_ticket_keys(SSL_CTX *context, void *keys, long size) {
    return (int)SSL_CTX_get_tlsext_ticket_keys(context, keys, size);
}
static inline int tls_ctx_set_ticket_keys(SSL_CTX *context, void *keys, long size) {
    return (int)SSL_CTX_set_tlsext_ticket_keys(context, keys, size);
}
static inline int tls_set_host_name(SSL *ssl, const char *name) { return (int)SSL_set_tlsext_host_name(ssl, name); }
static inline void tls_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void tls_bio_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
/// RFC 2253, in UTF-8.
static inline unsigned long tls_name_form(void) { return XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB; }
