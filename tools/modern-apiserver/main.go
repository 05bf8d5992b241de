// Command modern-apiserver takes a request as far as a kube-apiserver of the current release does before it looks at
// what is asked for: by Debian's unmodified k8s.io/apiserver it finds out who asks (webhook for tokens) and whether they
// may (authorization configuration with webhooks and match conditions), and then answers with what it has found. So it
// shows what such a release reads in the files that `portcullis cluster attach` writes, what it sends to the webhooks,
// and how it takes up a certificate that was replaced. There is nothing behind the request: no objects, no RBAC.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/load"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/group"
	"k8s.io/apiserver/pkg/authentication/request/bearertoken"
	tokencache "k8s.io/apiserver/pkg/authentication/token/cache"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/cel"
	"k8s.io/apiserver/pkg/authorization/union"
	"k8s.io/apiserver/pkg/endpoints/filters"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/util/webhook"
	tokenwebhook "k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	accesswebhook "k8s.io/apiserver/plugin/pkg/authorizer/webhook"
	"k8s.io/apiserver/plugin/pkg/authorizer/webhook/metrics"
	"k8s.io/client-go/transport"
)

// The names are kube-apiserver's, but for --listen and --certificate-reload, of which it has constants.
var (
	address       = flag.String("listen", "127.0.0.1:0", "address and port")
	certificate   = flag.String("tls-cert-file", "", "certificate of this server (PEM)")
	key           = flag.String("tls-private-key-file", "", "its private key (PEM)")
	tokens        = flag.String("authentication-token-webhook-config-file", "", "kubeconfig of the webhook for tokens")
	tokensVersion = flag.String("authentication-token-webhook-version", "v1beta1", "of its reviews")
	tokensKept    = flag.Duration("authentication-token-webhook-cache-ttl", 2*time.Minute, "how long its answers are kept")
	reload        = flag.Duration("certificate-reload", 5*time.Minute, "how often the files of client certificates are looked at")
	access        = flag.String("authorization-config", "", "authorization configuration")
)

// As kube-apiserver has them.
var retries = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}

func main() {
	flag.Parse()
	transport.CertCallbackRefreshDuration = *reload
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "modern-apiserver:", err)
		os.Exit(1)
	}
}

func run() error {
	authentication, err := authenticate()
	if err != nil {
		return fmt.Errorf("who asks: %w", err)
	}
	authorization, err := authorize()
	if err != nil {
		return fmt.Errorf("what they may do: %w", err)
	}
	// What is refused is answered with a Status.
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	codecs := serializer.NewCodecFactory(scheme)
	var handler http.Handler = http.HandlerFunc(tell)
	handler = filters.WithAuthorization(handler, authorization, codecs)
	handler = filters.WithAuthentication(handler, authentication, filters.Unauthorized(codecs), nil, nil)
	resolver := &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	handler = filters.WithRequestInfo(handler, resolver)
	server := &http.Server{Addr: *address, Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServeTLS(*certificate, *key)
}

// tell answers a request that was let through.
func tell(response http.ResponseWriter, asked *http.Request) {
	user, _ := request.UserFrom(asked.Context())
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(map[string]any{"user": user.GetName(), "groups": user.GetGroups(), "extra": user.GetExtra()})
}

// authenticate keeps what a token is found to be for ten seconds, as kube-apiserver does whatever its flags say.
func authenticate() (authenticator.Request, error) {
	client, err := webhook.LoadKubeconfig(*tokens, nil)
	if err != nil {
		return nil, err
	}
	asked, err := tokenwebhook.New(client, *tokensVersion, nil, retries)
	if err != nil {
		return nil, err
	}
	kept := tokencache.New(tokencache.New(asked, false, *tokensKept, *tokensKept), true, 10*time.Second, 0)
	return group.NewAuthenticatedGroupAdder(bearertoken.New(kept)), nil
}

// authorize reads the file as strictly as kube-apiserver. Authorizers of other types have no code here and no opinion.
func authorize() (authorizer.Authorizer, error) {
	configuration, err := load.LoadFromFile(*access)
	if err != nil {
		return nil, err
	}
	compiler := cel.NewDefaultCompiler()
	types := sets.New("Node", "RBAC", "Webhook")
	if err := validation.ValidateAuthorizationConfiguration(compiler, nil, configuration, types, sets.New("Webhook")).ToAggregate(); err != nil {
		return nil, err
	}
	var authorizers []authorizer.Authorizer
	for _, each := range configuration.Authorizers {
		if each.Type != apiserver.TypeWebhook {
			continue
		}
		asked, err := webhookAuthorizer(each.Name, each.Webhook, compiler)
		if err != nil {
			return nil, err
		}
		authorizers = append(authorizers, asked)
	}
	if len(authorizers) == 0 {
		return nil, errors.New("the configuration names no webhook")
	}
	return union.New(authorizers...), nil
}

func webhookAuthorizer(name string, wanted *apiserver.WebhookConfiguration, compiler cel.Compiler) (authorizer.Authorizer, error) {
	client, err := webhook.LoadKubeconfig(*wanted.ConnectionInfo.KubeConfigFile, nil)
	if err != nil {
		return nil, err
	}
	client.Timeout = wanted.Timeout.Duration
	allowed, refused := wanted.AuthorizedTTL.Duration, wanted.UnauthorizedTTL.Duration
	if !wanted.CacheAuthorizedRequests {
		allowed = 0
	}
	if !wanted.CacheUnauthorizedRequests {
		refused = 0
	}
	onError := authorizer.DecisionNoOpinion
	if wanted.FailurePolicy == apiserver.FailurePolicyDeny {
		onError = authorizer.DecisionDeny
	}
	return accesswebhook.New(client, wanted.SubjectAccessReviewVersion, allowed, refused, retries,
		onError, wanted.MatchConditions, name, metrics.NoopAuthorizerMetrics{}, compiler)
}
