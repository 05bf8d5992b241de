"""Signs in with MSAL or azure-identity for Python, one flow a run: `flows.py FLOW` with its settings as JSON in the
environment variable SETTINGS. Prints what the library gives as one JSON object. It decides nothing: the test does."""

import json
import os
import sys
from urllib.parse import parse_qsl, urlsplit

import msal
from azure import identity
from azure.mgmt.authorization import AuthorizationManagementClient
from azure.mgmt.containerservice import ContainerServiceClient

settings = json.loads(os.environ["SETTINGS"])
base, tenant, client, scope = (settings.get(name) for name in ("base", "tenant", "client", "scope"))
authority = f"{base}/{tenant}"
offline = {"authority": authority, "instance_discovery": False}
plain = {"authority": base, "disable_instance_discovery": True}
MARK = "the browser is sent to "


def say(text):
    print(text, file=sys.stderr, flush=True)


def public():
    return msal.PublicClientApplication(client, **offline)


def confidential(credential):
    return msal.ConfidentialClientApplication(client, client_credential=credential, **offline)


def certificate():
    with open(settings["certificate"], encoding="ascii") as file:
        pem = file.read()
    return {"private_key": pem, "public_certificate": pem}


def msal_device():
    app = public()
    flow = app.initiate_device_flow([scope])
    say(flow["message"])
    return app, app.acquire_token_by_device_flow(flow)


def again(app, first):
    """The same for another resource without anybody being asked, and once more from the cache."""
    assert "access_token" in first, first
    account = app.get_accounts()[0]
    other = app.acquire_token_silent([settings["other"]], account=account, force_refresh=True)
    cached = app.acquire_token_silent([scope], account=account)
    same = cached["access_token"] == first["access_token"]
    return {"first": first, "other": other, "cached": same, "account": account}


def msal_code():
    """The web application's way: the answer comes in a query to its own address."""
    app = confidential(settings["secret"])
    flow = app.initiate_auth_code_flow([scope], redirect_uri=settings["redirect"])
    say(MARK + flow["auth_uri"])
    answer = dict(parse_qsl(urlsplit(sys.stdin.readline().strip()).query))
    return app.acquire_token_by_auth_code_flow(flow, answer)


def token(credential):
    """A credential's token for the scope; of what it stands for only the token is seen."""
    return {"access_token": credential.get_token(scope).token}


def management():
    """Two management libraries that are told the address alone: they ask for the public name of Resource Manager."""
    credential = identity.ClientSecretCredential(tenant, client, settings["secret"], **plain)
    subscription = settings["subscription"]
    roles = AuthorizationManagementClient(credential, subscription, base_url=base)
    clusters = ContainerServiceClient(credential, subscription, base_url=base)
    listed = list(roles.role_definitions.list(f"/subscriptions/{subscription}"))
    return {
        "roles": [each.role_name for each in listed],
        "byId": [roles.role_definitions.get_by_id(each.id).role_name for each in listed],
        "assignments": [each.principal_id for each in roles.role_assignments.list_for_subscription()],
        "clusters": [each.name for each in clusters.managed_clusters.list()],
    }


FLOWS = {
    "management": management,
    "msal-secret": lambda: confidential(settings["secret"]).acquire_token_for_client([scope]),
    "msal-certificate": lambda: confidential(certificate()).acquire_token_for_client([scope]),
    "msal-assertion": lambda: confidential({"client_assertion": settings["assertion"]}).acquire_token_for_client([scope]),
    "msal-device": lambda: again(*msal_device()),
    "msal-interactive": lambda: again(app := public(), app.acquire_token_interactive([scope])),
    "msal-code": msal_code,
    "msal-obo": lambda: confidential(settings["secret"]).acquire_token_on_behalf_of(settings["assertion"], [scope]),
    "msal-oidc": lambda: msal.ConfidentialClientApplication(
        client, client_credential=settings["secret"], oidc_authority=f"{authority}/v2.0"
    ).acquire_token_for_client([scope]),
    "identity-secret": lambda: token(identity.ClientSecretCredential(tenant, client, settings["secret"], **plain)),
    "identity-certificate": lambda: token(
        identity.CertificateCredential(tenant, client, settings["certificate"], **plain)
    ),
    "identity-device": lambda: token(
        identity.DeviceCodeCredential(
            client,
            tenant_id=tenant,
            prompt_callback=lambda uri, code, _: say(f"open {uri} and enter the code {code} there"),
            **plain,
        )
    ),
    "identity-interactive": lambda: token(identity.InteractiveBrowserCredential(client_id=client, tenant_id=tenant, **plain)),
    "identity-obo": lambda: token(
        identity.OnBehalfOfCredential(
            tenant, client, client_secret=settings["secret"], user_assertion=settings["assertion"], **plain
        )
    ),
    "identity-workload": lambda: token(identity.WorkloadIdentityCredential(disable_instance_discovery=True)),
}

try:
    result = FLOWS[sys.argv[1]]()
except Exception as error:  # The test looks at what the library says.
    result = {"error": type(error).__name__, "error_description": str(error)}
print(json.dumps(result, default=str))
