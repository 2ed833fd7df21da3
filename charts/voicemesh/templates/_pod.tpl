{{/* The one pod template. What makes a pod safe is written here and is not a value. */}}

{{- define "voicemesh.pod" -}}
metadata:
  labels:
    {{- include "voicemesh.labels" . | nindent 4 }}
    {{- with .is.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ include "voicemesh.settings" . | sha256sum }}
    {{- with .is.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "voicemesh.name" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .is.terminationGracePeriodSeconds }}
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: {{ .name }}
      image: {{ include "voicemesh.image" . | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      securityContext:
        allowPrivilegeEscalation: false
        privileged: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      envFrom:
        - configMapRef: {name: {{ include "voicemesh.name" . }}}
      env:
        {{- include "voicemesh.env" . | nindent 8 }}
      ports:
        {{- range $port, $number := .is.ports }}
        - {name: {{ $port }}, containerPort: {{ int $number }}, protocol: TCP}
        {{- end }}
        {{- if and (include "voicemesh.tls" .root) .is.ports.grpc }}
        - {name: health, containerPort: {{ int .root.Values.tls.healthPort }}, protocol: TCP}
        {{- end }}
      {{- include "voicemesh.probes" . | nindent 6 }}
      lifecycle:
        preStop:
          sleep: {seconds: {{ int .is.preStopSeconds }}}
      resources:
        {{- toYaml .is.resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- if include "voicemesh.tls" .root }}
        - {name: tls, mountPath: /etc/voicemesh/tls, readOnly: true}
        {{- end }}
        {{- if include "voicemesh.redisTls" . }}
        - {name: redis-tls, mountPath: /etc/voicemesh/redis, readOnly: true}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 256Mi}
    {{- if include "voicemesh.tls" .root }}
    - name: tls
      secret: {secretName: {{ include "voicemesh.tlsSecret" . }}, defaultMode: 0440}
    {{- end }}
    {{- if include "voicemesh.redisTls" . }}
    - name: redis-tls
      secret: {secretName: {{ .root.Values.redis.tls.existingSecret | quote }}, defaultMode: 0440}
    {{- end }}
  topologySpreadConstraints:
    {{- $it := . }}
    {{- range .is.topologySpread }}
    - maxSkew: 1
      topologyKey: {{ .topologyKey | quote }}
      whenUnsatisfiable: {{ .whenUnsatisfiable }}
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "voicemesh.selector" $it | nindent 10 }}
    {{- end }}
  {{- with .is.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .is.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .is.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
{{- end -}}

{{/* Up, able to take work, alive: asked of the gRPC health service, or over HTTP of the gateway.
     Started and alive mean that the process lives: a peer or a Redis that is down makes a pod unready, and
     restarting it would not help. Kubernetes asks a pod that terminates only for readiness, so a drain is not cut by liveness. */}}
{{- define "voicemesh.probes" -}}
startupProbe:
  {{- include "voicemesh.asked" (dict "ports" .is.ports "root" .root "path" "/healthz" "service" "liveness") | nindent 2 }}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add (int .is.startupSeconds) 1) 2 }}
readinessProbe:
  {{- include "voicemesh.asked" (dict "ports" .is.ports "root" .root "path" "/readyz" "service" "") | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  {{- include "voicemesh.asked" (dict "ports" .is.ports "root" .root "path" "/healthz" "service" "liveness") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{- define "voicemesh.asked" -}}
{{- if .ports.http -}}
httpGet: {path: {{ .path }}, port: {{ int .ports.http }}, scheme: HTTP}
{{- else -}}
grpc: {port: {{ ternary .root.Values.tls.healthPort .ports.grpc (eq (include "voicemesh.tls" .root) "yes") | int }}, service: {{ .service | quote }}}
{{- end -}}
{{- end -}}
