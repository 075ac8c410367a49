{{/* Names and labels. Selectors never change, so that an upgrade finds its pods. */}}

{{- define "aegis.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: the longest ending is "-restore-validation", and a CronJob adds 11 to 52. */}}
{{- define "aegis.fullname" -}}
{{- $name := include "aegis.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 32 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 32 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 32 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes a dict of root and component. */}}
{{- define "aegis.selector" -}}
app.kubernetes.io/name: {{ include "aegis.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Of pods, without the chart's version: a chart that renders the same pods restarts none. */}}
{{- define "aegis.podLabels" -}}
{{ include "aegis.selector" . }}
app.kubernetes.io/part-of: aegis
{{- end -}}

{{- define "aegis.labels" -}}
{{ include "aegis.podLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The image, only ever by its digest: a tag can be moved. Takes a dict of root and image. */}}
{{- define "aegis.image" -}}
{{- $own := .root.Values.image -}}
{{- $image := .image | default dict -}}
{{- printf "%s@%s" ($image.repository | default $own.repository) ($image.digest | default $own.digest) | quote -}}
{{- end -}}

{{- define "aegis.modelsUrl" -}}
{{- .Values.objectStore.modelsUrl | default (printf "%s/" (include "aegis.bucketUrl" .)) -}}
{{- end -}}

{{- define "aegis.backupsUrl" -}}
{{- .Values.objectStore.backupsUrl | default (printf "%s/backups/" (include "aegis.bucketUrl" .)) -}}
{{- end -}}

{{- define "aegis.bucketUrl" -}}
{{- with .Values.objectStore -}}
{{- if eq $.Values.cloud "oci" -}}{{ printf "oci://%s/%s" .namespace .bucket }}{{- else -}}{{ printf "s3://%s" .bucket }}{{- end -}}
{{- end -}}
{{- end -}}

{{- define "aegis.policyConfigMap" -}}
{{- .Values.policy.existingConfigMap | default (printf "%s-policy" (include "aegis.fullname" .)) -}}
{{- end -}}

{{/* Files of the values as a ConfigMap has them. They may use the values: `source: {{ include "aegis.modelsUrl" . }}fraud/`. */}}
{{- define "aegis.files" -}}
{{- range $name, $text := .files }}
{{ $name }}: |
  {{- tpl $text $.root | trim | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "aegis.policyData" -}}
{{- if not .Values.policy.existingConfigMap -}}
{{- include "aegis.files" (dict "root" . "files" .Values.policy.files) -}}
{{- end -}}
{{- end -}}

{{- define "aegis.backupConfigMap" -}}
{{- .Values.backup.policy.existingConfigMap | default (printf "%s-backup-policy" (include "aegis.fullname" .)) -}}
{{- end -}}

{{/* That of the address; PostgreSQL's own where it names none. */}}
{{- define "aegis.databasePort" -}}
{{- (regexFind ":[0-9]+$" (urlParse .Values.database.url).host | trimPrefix ":") | default "5432" -}}
{{- end -}}
