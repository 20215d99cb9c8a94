"""The raw bucket at S3: its lister and its reader share settings and credentials."""

from __future__ import annotations

from pathlib import Path

import obstore

from etl_lambda.errors import PermanentError, from_s3
from etl_lambda.fetching import Reader, open_store
from etl_lambda.s3_list import Credentials, ListClient, environment_credentials
from etl_lambda.settings import Settings

_NO_CREDENTIALS = (
    "there are no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


def find_credentials() -> Credentials:
    """Return the credentials of the environment, else those that boto3 finds (an operator's).

    Raises PermanentError when there are none.
    """
    found = environment_credentials()
    if found is not None:
        return found
    try:
        import botocore.exceptions
        import botocore.session
    except ImportError:
        raise PermanentError("no_credentials", _NO_CREDENTIALS) from None
    try:
        keys = botocore.session.get_session().get_credentials()
        frozen = None if keys is None else keys.get_frozen_credentials()
    except botocore.exceptions.BotoCoreError as error:  # a profile that is not there, a login
        words = f"the AWS credentials cannot be read ({type(error).__name__})"
        raise PermanentError("no_credentials", words) from error
    if frozen is None:
        raise PermanentError("no_credentials", _NO_CREDENTIALS)
    return {
        "access_key_id": frozen.access_key or "",
        "secret_access_key": frozen.secret_key or "",
        "token": frozen.token,
    }


class RawBucket:
    """The bucket of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def lister(self) -> ListClient:
        """Return what lists it."""
        self._check_ca()
        try:
            return ListClient(self._settings, find_credentials)
        except OSError as error:  # a bundle that is no PEM
            raise PermanentError("ca_bundle", f"no CA in {self._settings.ca_bundle}") from error

    def reader(self) -> Reader:
        """Return what reads its objects."""
        self._check_ca()
        try:
            store = open_store(self._settings, find_credentials)
        except (obstore.exceptions.BaseError, OSError, ValueError) as error:
            raise from_s3(error, self._settings.bucket) from error
        return Reader(store, self._settings.bucket, self._settings.limits)

    def _check_ca(self) -> None:
        bundle = self._settings.ca_bundle
        if bundle is not None and not Path(bundle).is_file():
            raise PermanentError("ca_bundle", f"AWS_CA_BUNDLE or SSL_CERT_FILE: no file {bundle}")
