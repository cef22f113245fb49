// A keyed HMAC_CTX that is started again costs a third of what EVP_MAC asks for the same tag. OpenSSL 3 marks HMAC_* as
// deprecated; they stay for the whole of its series.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
