{{/* The pod of a job with the database or its backups. Takes root, component, account, image, command or arguments,
     resources, scratch, and blocks of YAML: variables, mounts, volumes. */}}
{{- define "aegis.jobPod" -}}
{{- $root := .root -}}
metadata:
  labels:
    {{- include "aegis.podLabels" (dict "root" $root "component" .component) | nindent 4 }}
    {{- with $root.Values.pods.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $root.Values.pods.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with .account }}
  serviceAccountName: {{ . }}
  {{- end }}
  automountServiceAccountToken: {{ and (not (empty .account)) (eq $root.Values.cloud "oci") }}
  restartPolicy: Never
  {{- include "aegis.podSecurity" $root | nindent 2 }}
  {{- with include "aegis.scheduling" $root | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "aegis.image" (dict "root" $root "image" .image) }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      {{- include "aegis.containerSecurity" $root | nindent 6 }}
      {{- with .command }}
      command: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .arguments }}
      args: {{- toYaml . | nindent 8 }}
      {{- end }}
      env:
        - name: HOME
          value: /tmp
        {{- with include "aegis.regionVariables" $root | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- .variables | trim | nindent 8 }}
      resources: {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- with include "aegis.authorityMount" $root | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .mounts }}
        {{- . | trim | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ .scratch }}
    {{- with include "aegis.authorityVolume" $root | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- with .volumes }}
    {{- . | trim | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* A CronJob on the backups' policy. Takes root, name (its ending), component, account, arguments, variables, timer. */}}
{{- define "aegis.backupCronJob" -}}
{{- $root := .root -}}
{{- $backup := $root.Values.backup -}}
{{- $mounts := "- name: policy\n  mountPath: /etc/aegis/policy\n  readOnly: true" -}}
{{- $volumes := printf "- name: policy\n  configMap:\n    name: %s" (include "aegis.backupConfigMap" $root) -}}
{{- $variables := printf "- name: AEGIS_POLICY\n  value: /etc/aegis/policy/aegis.backup.yml\n%s" .variables -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "aegis.fullname" $root }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "aegis.labels" (dict "root" $root "component" .component) | nindent 4 }}
spec:
  schedule: {{ .timer.schedule | quote }}
  timeZone: Etc/UTC
  suspend: {{ .timer.suspend }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 5
  jobTemplate:
    spec:
      # After that the next one comes by the schedule, and the alert before it.
      backoffLimit: {{ .timer.retries }}
      activeDeadlineSeconds: {{ .timer.deadlineSeconds }}
      template:
        {{- include "aegis.jobPod" (dict "root" $root "component" .component "account" .account "arguments" .arguments "image" $backup.image "variables" $variables "mounts" $mounts "volumes" $volumes "resources" $backup.resources "scratch" $backup.scratchSize) | nindent 8 }}
{{- end -}}
