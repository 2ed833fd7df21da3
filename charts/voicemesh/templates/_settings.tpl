{{/* How a component is told things: a ConfigMap of its settings, and the variables that are the
     chart's own to set. */}}

{{- define "voicemesh.variable" -}}
VOICEMESH_{{ . | replace "-" "_" | upper }}
{{- end -}}

{{/* The ConfigMap's data: strings as they are, all else as JSON, which the services read. */}}
{{- define "voicemesh.settings" -}}
{{- range $setting, $value := .is.settings }}
{{ include "voicemesh.variable" $setting }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end -}}

{{/* The variables of a container. POD_IP comes first: the next one refers to it. */}}
{{- define "voicemesh.env" -}}
{{- $root := .root -}}
- name: POD_IP
  valueFrom: {fieldRef: {fieldPath: status.podIP}}
- name: VOICEMESH_ADVERTISED_ADDRESS
  value: {{ printf "$(POD_IP):%d" (int (.is.ports.grpc | default .is.ports.http)) | quote }}
- name: VOICEMESH_BIND_HOST
  value: "0.0.0.0"
- name: VOICEMESH_DRAIN_SECONDS
  value: {{ int .is.drainSeconds | quote }}
- name: VOICEMESH_PROFILE
  value: {{ $root.Values.profile | quote }}
{{- range $port, $number := .is.ports }}
- name: {{ include "voicemesh.variable" (printf "%s_port" $port) }}
  value: {{ int $number | quote }}
{{- end }}
{{- include "voicemesh.tlsEnv" . }}
{{- range $callee := .is.calls }}
{{- $port := (include "voicemesh.component" (dict "root" $root "name" $callee) | fromYaml).ports.grpc }}
- name: {{ include "voicemesh.variable" (printf "%s_target" $callee) }}
  value: {{ printf "dns:%s-%s.%s.svc:%d" (include "voicemesh.fullname" $root) $callee $root.Release.Namespace (int $port) | quote }}
{{- end }}
{{- include "voicemesh.outsideEnv" . }}
{{- range $setting, $secret := .is.secrets }}
{{- if $secret.existingSecret }}
- name: {{ include "voicemesh.variable" $setting }}
  valueFrom: {secretKeyRef: {name: {{ $secret.existingSecret | quote }}, key: {{ $secret.key | quote }}}}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the certificate is mounted. A gateway answers health over HTTP. */}}
{{- define "voicemesh.tlsEnv" -}}
{{- if include "voicemesh.tls" .root }}
- name: VOICEMESH_TLS_CERTIFICATE
  value: /etc/voicemesh/tls/tls.crt
- name: VOICEMESH_TLS_KEY
  value: /etc/voicemesh/tls/tls.key
- name: VOICEMESH_TLS_CA
  value: /etc/voicemesh/tls/ca.crt
{{- if .is.ports.grpc }}
- name: VOICEMESH_HEALTH_PORT
  value: {{ int .root.Values.tls.healthPort | quote }}
{{- end }}
{{- else if eq .root.Values.tls.source "none" }}
- name: VOICEMESH_ALLOW_INSECURE
  value: "true"
{{- end }}
{{- end -}}

{{/* Whether the files of redis.tls are mounted. */}}
{{- define "voicemesh.redisTls" -}}
{{- if and (has "redis" .is.outside) .root.Values.redis.tls.existingSecret }}yes{{- end -}}
{{- end -}}

{{/* Where the things outside the mesh are. */}}
{{- define "voicemesh.outsideEnv" -}}
{{- $values := .root.Values -}}
{{- if and (has "redis" .is.outside) $values.redis.url }}
- name: VOICEMESH_REDIS_URL
  value: {{ $values.redis.url | quote }}
{{- end }}
{{- if include "voicemesh.redisTls" . }}
- name: VOICEMESH_REDIS_TLS_CA
  value: /etc/voicemesh/redis/ca.crt
{{- if $values.redis.tls.clientCertificate }}
- name: VOICEMESH_REDIS_TLS_CERTIFICATE
  value: /etc/voicemesh/redis/tls.crt
- name: VOICEMESH_REDIS_TLS_KEY
  value: /etc/voicemesh/redis/tls.key
{{- end }}
{{- end }}
{{- if has "model" .is.outside }}
- name: VOICEMESH_MODEL_BASE_URL
  value: {{ $values.model.url | quote }}
- name: VOICEMESH_MODEL_NAME
  value: {{ $values.model.name | quote }}
{{- end }}
{{- if has "embeddings" .is.outside }}
- name: VOICEMESH_EMBEDDINGS_BASE_URL
  value: {{ $values.embeddings.url | quote }}
- name: VOICEMESH_EMBEDDINGS_MODEL
  value: {{ $values.embeddings.name | quote }}
{{- end }}
{{- end -}}
