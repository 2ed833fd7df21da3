{{/* Names, labels and a component's values. `it` is a component: root, name, and its merged values
     under `is`. */}}

{{- define "voicemesh.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The components, as YAML: a list of names. */}}
{{- define "voicemesh.names" -}}
{{- omit .Values.components "default" | keys | sortAlpha | toYaml -}}
{{- end -}}

{{/* One component, as YAML: default, then what it says itself. */}}
{{- define "voicemesh.component" -}}
{{- $default := deepCopy .root.Values.components.default -}}
{{- mergeOverwrite $default (deepCopy (index .root.Values.components .name)) | toYaml -}}
{{- end -}}

{{- define "voicemesh.name" -}}
{{ include "voicemesh.fullname" .root }}-{{ .name }}
{{- end -}}

{{/* Not empty where the components have certificates. */}}
{{- define "voicemesh.tls" -}}
{{- if has .Values.tls.source (list "cert-manager" "secrets") }}yes{{ end -}}
{{- end -}}

{{/* The Secret with a component's certificate. */}}
{{- define "voicemesh.tlsSecret" -}}
{{ include "voicemesh.name" . }}-tls
{{- end -}}

{{/* What selects all pods of the release. */}}
{{- define "voicemesh.meshLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What selects the pods of a component. Never changes: a Deployment's selector cannot. */}}
{{- define "voicemesh.selector" -}}
{{ include "voicemesh.meshLabels" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end -}}

{{- define "voicemesh.labels" -}}
{{ include "voicemesh.selector" . }}
app.kubernetes.io/part-of: voicemesh
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "voicemesh.image" -}}
{{- $image := .root.Values.image -}}
{{- $tag := $image.tag | default .root.Chart.AppVersion -}}
{{- $digest := ternary (printf "@%s" .is.image.digest) "" (ne .is.image.digest "") -}}
{{- printf "%s/%s:%s%s" (trimSuffix "/" $image.repository) .name $tag $digest -}}
{{- end -}}
