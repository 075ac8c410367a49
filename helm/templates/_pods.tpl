{{/* What every pod has: the Pod Security Standard "restricted" leaves no choice, so there is none in the values. */}}

{{- define "aegis.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
enableServiceLinks: false
{{- end -}}

{{- define "aegis.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{/* Where a pod may run, as Kubernetes has it. */}}
{{- define "aegis.scheduling" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.pods.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.pods.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.pods.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Takes the name of a variable and a reference to a secret; nothing where the reference names none. */}}
{{- define "aegis.secretVariable" -}}
{{- if .secret.name -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef:
      name: {{ .secret.name }}
      key: {{ .secret.key | quote }}
{{- end -}}
{{- end -}}

{{/* How to reach a PostgreSQL. Takes root, variable (of the address), url, password. */}}
{{- define "aegis.databaseVariables" -}}
- name: {{ .variable }}
  value: {{ .url | quote }}
{{ include "aegis.secretVariable" (dict "variable" "PGPASSWORD" "secret" .password) }}
{{- if .root.Values.database.authority.configMap }}
- name: PGSSLROOTCERT
  value: /etc/aegis/database/authority.pem
{{- end }}
{{- end -}}

{{/* The region, which EKS sets in each pod of a role by itself, and nobody elsewhere. */}}
{{- define "aegis.regionVariables" -}}
{{- if and (eq .Values.cloud "aws") .Values.region -}}
- name: AWS_REGION
  value: {{ .Values.region | quote }}
{{- end -}}
{{- end -}}

{{- define "aegis.authorityMount" -}}
{{- if .Values.database.authority.configMap -}}
- name: database-authority
  mountPath: /etc/aegis/database
  readOnly: true
{{- end -}}
{{- end -}}

{{- define "aegis.authorityVolume" -}}
{{- with .Values.database.authority -}}
{{- if .configMap -}}
- name: database-authority
  configMap:
    name: {{ .configMap }}
    items:
      - key: {{ .key | quote }}
        path: authority.pem
{{- end -}}
{{- end -}}
{{- end -}}
