// Signs in with MSAL or azure-identity for Node, one flow a run: `flows.js FLOW` with its settings as JSON in the
// environment variable SETTINGS. Prints what the library gives as one JSON object. It decides nothing: the test does.

const fs = require("fs");
const crypto = require("crypto");
const msal = require("@azure/msal-node");
const identity = require("@azure/identity");

const settings = JSON.parse(process.env.SETTINGS);
const { base, tenant, client, scope } = settings;
const authority = `${base}/${tenant}`;
const knownAuthorities = [new URL(base).host];
const plain = { authorityHost: base, disableInstanceDiscovery: true };
const mark = "the browser is sent to ";

const say = (text) => process.stderr.write(`${text}\n`);
const open = async (address) => say(mark + address);
const auth = (more) => ({ auth: { clientId: client, authority, knownAuthorities, ...more } });
const pub = () => new msal.PublicClientApplication(auth({}));
const confidential = (more) => new msal.ConfidentialClientApplication(auth(more));

function certificate() {
  const pem = fs.readFileSync(settings.certificate, "ascii");
  const x509 = new crypto.X509Certificate(pem);
  const privateKey = pem.slice(pem.indexOf("-----BEGIN PRIVATE KEY"));
  return { thumbprintSha256: x509.fingerprint256.replaceAll(":", ""), privateKey, x5c: pem };
}

// The same for another resource without anybody being asked, and once more from the cache.
async function again(app, first) {
  const other = await app.acquireTokenSilent({ scopes: [settings.other], account: first.account, forceRefresh: true });
  const cached = await app.acquireTokenSilent({ scopes: [scope], account: first.account });
  return { first, other, cached: cached.accessToken === first.accessToken, account: first.account };
}

async function token(credential) {
  return { accessToken: (await credential.getToken(scope)).token };
}

const flows = {
  "msal-secret": () => confidential({ clientSecret: settings.secret }).acquireTokenByClientCredential({ scopes: [scope] }),
  "msal-certificate": () =>
    confidential({ clientCertificate: certificate() }).acquireTokenByClientCredential({ scopes: [scope] }),
  "msal-device": async () => {
    const app = pub();
    return again(app, await app.acquireTokenByDeviceCode({ scopes: [scope], deviceCodeCallback: (it) => say(it.message) }));
  },
  "msal-interactive": async () => {
    const app = pub();
    return again(app, await app.acquireTokenInteractive({ scopes: [scope], openBrowser: open }));
  },
  "msal-password": () => pub().acquireTokenByUsernamePassword({ scopes: [scope], ...settings.person }),
  "msal-obo": () =>
    confidential({ clientSecret: settings.secret }).acquireTokenOnBehalfOf({
      scopes: [scope],
      oboAssertion: settings.assertion,
    }),
  "identity-secret": () => token(new identity.ClientSecretCredential(tenant, client, settings.secret, plain)),
  "identity-certificate": () =>
    token(new identity.ClientCertificateCredential(tenant, client, settings.certificate, plain)),
  "identity-device": () =>
    token(
      new identity.DeviceCodeCredential({
        tenantId: tenant,
        clientId: client,
        userPromptCallback: (it) => say(it.message),
        ...plain,
      }),
    ),
  "identity-obo": () =>
    token(
      new identity.OnBehalfOfCredential({
        tenantId: tenant,
        clientId: client,
        clientSecret: settings.secret,
        userAssertionToken: settings.assertion,
        ...plain,
      }),
    ),
  "identity-workload": () => token(new identity.WorkloadIdentityCredential(plain)),
};

flows[process.argv[2]]().then(
  (result) => console.log(JSON.stringify(result)),
  (error) => console.log(JSON.stringify({ error: error.name, error_description: error.message })),
);
