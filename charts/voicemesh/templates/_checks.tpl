{{/* What the schema cannot see. Each refusal says what is wrong and what to write. */}}

{{- define "voicemesh.checks" -}}
{{- $v := .Values -}}
{{- if not $v.image.repository -}}
{{- fail "image.repository is not set: name the registry and folder that hold the five images, such as registry.example.com/voicemesh." -}}
{{- end -}}
{{- if eq (lower $v.image.tag) "latest" -}}
{{- fail "image.tag is latest, which names no version: a restarted pod could run other code than its neighbours. Use a version, or leave it empty for the chart's appVersion." -}}
{{- end -}}
{{- if not (or $v.redis.url (index $v.components "session-store" "secrets" "redis_url" "existingSecret")) -}}
{{- fail "No Redis is named: set redis.url to redis://host:port/0 or rediss://host:port/0, or name a Secret with the URL in components.session-store.secrets.redis_url.existingSecret." -}}
{{- end -}}
{{- if and $v.redis.url (index $v.components "session-store" "secrets" "redis_url" "existingSecret") -}}
{{- fail "Redis is named twice, by redis.url and by components.session-store.secrets.redis_url: leave one of them empty." -}}
{{- end -}}
{{- if contains "@" $v.redis.url -}}
{{- fail "redis.url holds a user or password, which would be readable in the Deployment: put the whole URL in a Secret, name it in components.session-store.secrets.redis_url.existingSecret, and leave redis.url empty." -}}
{{- end -}}
{{- if and $v.redis.tls.clientCertificate (not $v.redis.tls.existingSecret) -}}
{{- fail "redis.tls.clientCertificate is set and no Secret has the certificate: name one with ca.crt, tls.crt and tls.key in redis.tls.existingSecret." -}}
{{- end -}}
{{- range $end, $what := dict "model" "an OpenAI-compatible endpoint" "embeddings" "an OpenAI-compatible endpoint that embeds texts" -}}
{{- if not (index $v $end "url") -}}
{{- fail (printf "%s.url is not set: name %s by its base URL, such as https://my.openai.azure.com/openai/v1." $end $what) -}}
{{- end -}}
{{- if not (index $v $end "name") -}}
{{- fail (printf "%s.name is not set: name the model or deployment that %s.url is asked for." $end $end) -}}
{{- end -}}
{{- end -}}
{{- include "voicemesh.checkTls" $v -}}
{{- range $end := list "redis" "model" "embeddings" "speech-provider" "mcp" "app-configuration" "key-vault" "entra" "otlp" -}}
{{- include "voicemesh.checkOutside" (dict "end" $end "is" (index $v $end) "policies" $v.networkPolicy.enabled) -}}
{{- end -}}
{{- range $name := include "voicemesh.names" . | fromYamlArray -}}
{{- $is := include "voicemesh.component" (dict "root" $ "name" $name) | fromYaml -}}
{{- include "voicemesh.checkComponent" (dict "root" $ "name" $name "is" $is) -}}
{{- end -}}
{{- end -}}

{{/* Without certificates a service of the azure profile does not start. */}}
{{- define "voicemesh.checkTls" -}}
{{- if and (eq .profile "azure") (not .tls.source) -}}
{{- fail "tls.source is not set: write cert-manager and name an issuer in tls.issuer.name, or secrets and make one for each component, or none where something else encrypts and every caller may call anything." -}}
{{- end -}}
{{- if and (eq .tls.source "cert-manager") (not .tls.issuer.name) -}}
{{- fail "tls.issuer.name is not set: name the cert-manager Issuer that signs the certificates of this release, a CA of its own." -}}
{{- end -}}
{{- if le (trimSuffix "h" .tls.duration | int) (trimSuffix "h" .tls.renewBefore | int) -}}
{{- fail (printf "tls.renewBefore %s is not shorter than tls.duration %s: a certificate would be replaced before it is made." .tls.renewBefore .tls.duration) -}}
{{- end -}}
{{- end -}}

{{/* The policy opens one port: the URL must go to it. */}}
{{- define "voicemesh.checkOutside" -}}
{{- if .is.url -}}
{{- $url := urlParse .is.url -}}
{{- $usual := dict "redis" 6379 "rediss" 6379 "http" 80 "https" 443 -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (get $usual $url.scheme) | int -}}
{{- if and .policies (ne $port (int .is.port)) -}}
{{- fail (printf "%s.url goes to port %d, but the network policy would open %s.port %d: make them the same." .end $port .end (int .is.port)) -}}
{{- end -}}
{{- end -}}
{{- if and .policies (not .is.peers) -}}
{{- fail (printf "%s.peers is empty, so no pod could reach it: list where it is as NetworkPolicy peers, such as {ipBlock: {cidr: 10.1.2.0/24}} or {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: %s}}}, or set networkPolicy.enabled to false." .end .end) -}}
{{- end -}}
{{- end -}}

{{- define "voicemesh.checkComponent" -}}
{{- $at := printf "components.%s" .name -}}
{{- range $port, $number := .is.ports -}}
{{- if and (include "voicemesh.tls" $.root) (eq (int $number) (int $.root.Values.tls.healthPort)) -}}
{{- fail (printf "%s.ports.%s is %d, and so is tls.healthPort: make them differ." $at $port (int $number)) -}}
{{- end -}}
{{- end -}}
{{- $least := add (int .is.preStopSeconds) (int .is.drainSeconds) 5 | int -}}
{{- if lt (int .is.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, so Kubernetes would kill the pod while it drains: preStopSeconds %d + drainSeconds %d + 5 to close needs at least %d." $at (int .is.terminationGracePeriodSeconds) (int .is.preStopSeconds) (int .is.drainSeconds) $least) -}}
{{- end -}}
{{- range $setting, $value := .is.settings -}}
{{- if or (regexMatch "(_port|_target)$" $setting) (has $setting (list "tls_certificate" "tls_key" "tls_ca" "allow_insecure" "advertised_address" "bind_host" "drain_seconds" "profile" "redis_url" "redis_tls_ca" "redis_tls_certificate" "redis_tls_key" "model_base_url" "model_name" "embeddings_base_url" "embeddings_model")) -}}
{{- fail (printf "%s.settings.%s is the chart's own to set, from ports, calls, drainSeconds, profile, tls, redis, model or embeddings: set that instead." $at $setting) -}}
{{- end -}}
{{- if or (regexMatch "(^|_)(key|secret|password|token|connection_string)$" $setting) (and (eq $setting "appconfig_endpoint") (contains "Secret=" (toString $value))) -}}
{{- fail (printf "%s.settings.%s would write a secret into a ConfigMap: put it in a Secret and name that in %s.secrets.%s." $at $setting $at $setting) -}}
{{- end -}}
{{- end -}}
{{- range $setting, $secret := .is.secrets -}}
{{- if and (eq $at "components.gateway") (not $secret.existingSecret) -}}
{{- fail (printf "%s.secrets.%s.existingSecret is not set, and without it the gateway refuses to listen: make a Secret (kubectl create secret generic voicemesh-keys --from-literal=media-key=... --from-literal=control-key=..., at least 32 characters each) and name it." $at $setting) -}}
{{- end -}}
{{- end -}}
{{- end -}}
