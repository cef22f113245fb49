// A keyed HMAC_CTX that is started again costs a third of what EVP_MAC asks for the same tag. OpenSSL 3 marks HMAC_* as
// deprecated; they stay for the whole of its series.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Macros, which Swift does not import.

static inline int tls_require_1_2(SSL_CTX *context) {
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

static inline void tls_hand_out_sessions(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static inline long tls_set_server_name(SSL *connection, const char *name) {
    return SSL_set_tlsext_host_name(connection, name);
}

static inline int tls_set_owner(SSL *connection, void *owner) { return SSL_set_app_data(connection, owner); }

static inline void *tls_owner(const SSL *connection) { return SSL_get_app_data(connection); }

static inline int tls_error_reason(unsigned long code) { return ERR_GET_REASON(code); }

static inline int tls_error_library(unsigned long code) { return ERR_GET_LIB(code); }

// What OpenSSL's decoders say where nobody enters a pass phrase.
static const int tls_pass_phrase_refused = ERR_R_INTERRUPTED_OR_CANCELLED;
