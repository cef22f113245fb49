"""The fixture's own connection to Redis."""
from servicedesk import ServiceDesk


def test_over_tls_redis_must_have_a_certificate_for_its_name_by_the_given_ca(monkeypatch):
    for name in "CA", "CERT", "KEY":
        monkeypatch.setenv(f"SERVICEDESK_REDIS_{name}_FILE", f"{name}.pem")
    options = ServiceDesk("http://localhost", "", "rediss://localhost").redis.connection_pool.connection_kwargs
    assert options["ssl_cert_reqs"] == "required" and options["ssl_check_hostname"] is True
    assert [options[f"ssl_{name}"] for name in ("ca_certs", "certfile", "keyfile")] == ["CA.pem", "CERT.pem", "KEY.pem"]
