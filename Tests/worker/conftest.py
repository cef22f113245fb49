from servicedesk import servicedesk  # noqa: F401 - the fixture
