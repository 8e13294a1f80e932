{{/* The name of every object: the release's, with the chart's unless the release already has it. */}}
{{- define "scopemesh.name" -}}
{{- if contains "scopemesh" .Release.Name }}{{ .Release.Name | trunc 48 | trimSuffix "-" }}
{{- else }}{{ printf "%s-scopemesh" .Release.Name | trunc 48 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "scopemesh.selector" -}}
app.kubernetes.io/name: scopemesh
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "scopemesh.labels" -}}
{{ include "scopemesh.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "scopemesh.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The configuration file: the user's, with what the pod decides. */}}
{{- define "scopemesh.config" -}}
{{- $config := deepCopy .Values.config }}
{{- $queue := dig "queue" "kind" "embedded" $config }}
{{- $decisions := dig "decisions" "kind" "embedded" $config }}
{{- if and (gt (int .Values.replicas) 1) (or (ne $queue "bullmq") (ne $decisions "kafka")) }}
{{- fail "several replicas share Redis and Kafka: set config.queue.kind to bullmq and config.decisions.kind to kafka, or replicas to 1" }}
{{- end }}
{{- if and (not .Values.persistence.enabled) (or (ne $queue "bullmq") (ne $decisions "kafka")) }}
{{- fail "without a volume the state would be lost with the pod: set persistence.enabled to true, or use Redis and Kafka" }}
{{- end }}
{{- $tokens := dig "http" "tokens" list $config }}
{{- with .Values.serviceMonitor }}
{{- if .enabled }}
{{- if not .token.secret }}
{{- fail "serviceMonitor needs a token to read the metrics: set serviceMonitor.token.secret to the name of a Secret" }}
{{- end }}
{{- if and $.Values.networkPolicy.enabled (not $.Values.networkPolicy.adminFrom) }}
{{- fail "the network policy keeps Prometheus out: set networkPolicy.adminFrom to where it runs" }}
{{- end }}
{{- $token := printf "${file:/secrets/%s/%s}" .token.secret .token.key }}
{{- $tokens = append $tokens (dict "name" "prometheus" "token" $token) }}
{{- end }}
{{- end }}
{{- $http := dict "listen" "0.0.0.0:8080" "admin" "0.0.0.0:8081" "tokens" $tokens }}
{{- $_ := set $config "http" $http }}
{{- $_ := set $config "state" (dict "directory" "/var/lib/scopemesh/state") }}
{{- toYaml $config }}
{{- end }}

{{/* The names of the Secrets to mount. */}}
{{- define "scopemesh.secrets" -}}
{{- $names := .Values.secrets }}
{{- if .Values.serviceMonitor.enabled }}{{ $names = append $names .Values.serviceMonitor.token.secret }}{{ end }}
{{- $names | uniq | toJson }}
{{- end }}
