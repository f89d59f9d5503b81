"""What the environment may say."""

import pytest

from janitor.domain.errors import ConfigurationError
from janitor.settings import read_settings


@pytest.mark.parametrize(
    "url",
    ["http://slack.example/api/", "http://127.0.0.1.example/", "ftp://127.0.0.1/", "slack.com"],
)
def test_a_token_goes_to_no_address_without_tls_but_on_this_machine(url: str) -> None:
    """Whoever sets the address by mistake reads which variable it was."""
    with pytest.raises(ConfigurationError, match=r"^JANITOR_SLACK_URL: .* for instance https://s"):
        read_settings({"JANITOR_SLACK_URL": url})


@pytest.mark.parametrize(
    "url", ["https://slack.com/api/", "http://127.0.0.1:8080/api/", "http://localhost/api/"]
)
def test_slack_may_be_elsewhere_with_tls_or_on_this_machine(url: str) -> None:
    """As tests have it."""
    assert read_settings({"JANITOR_SLACK_URL": url}).slack_url == url
    assert read_settings({}).slack_url == "https://slack.com/api/"
