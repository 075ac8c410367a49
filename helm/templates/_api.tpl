{{/* The pod of the API: the same in a Deployment and in a Rollout. */}}

{{- define "aegis.apiPod" -}}
{{- $component := dict "root" . "component" "api" -}}
metadata:
  labels:
    {{- include "aegis.podLabels" $component | nindent 4 }}
    {{- with .Values.pods.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: api
    # Another policy, other issuers or roles: other pods, which a Rollout judges. The old ones read the new text too.
    aegis/config: {{ printf "%s%s" (include "aegis.policyData" .) .Values.auth.file | sha256sum | quote }}
    {{- with .Values.pods.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "aegis.fullname" . }}
  automountServiceAccountToken: {{ or (eq .Values.cloud "oci") .Values.api.automountToken }}
  {{- include "aegis.podSecurity" . | nindent 2 }}
  {{- with include "aegis.scheduling" . | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add .Values.api.drainSeconds .Values.api.endSeconds 10 }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "aegis.selector" $component | nindent 10 }}
    {{- end }}
  containers:
    - name: api
      image: {{ include "aegis.image" (dict "root" .) }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      {{- include "aegis.containerSecurity" . | nindent 6 }}
      # the image's own program, which is this service
      args:
        - --host=0.0.0.0
        - --port=8080
        - --probe-port=8081
        - --drain-seconds={{ .Values.api.drainSeconds }}
        - --end-seconds={{ .Values.api.endSeconds }}
        {{- if .Values.api.tlsSecret }}
        - --tls-cert=/etc/aegis/tls/tls.crt
        - --tls-key=/etc/aegis/tls/tls.key
        {{- end }}
      env:
        {{- include "aegis.apiVariables" . | trim | nindent 8 }}
      ports:
        - name: api
          containerPort: 8080
          protocol: TCP
        - name: probe
          containerPort: 8081
          protocol: TCP
      # it migrates the database's tables first where they are older
      startupProbe:
        httpGet: {path: /healthz, port: probe}
        periodSeconds: 2
        timeoutSeconds: 3
        failureThreshold: 90
      livenessProbe:
        httpGet: {path: /healthz, port: probe}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: probe}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      resources: {{- toYaml .Values.api.resources | nindent 8 }}
      volumeMounts:
        - name: policy
          mountPath: /etc/aegis/policy
          readOnly: true
        - name: audit-key
          mountPath: /etc/aegis/audit
          readOnly: true
        - name: auth
          mountPath: /etc/aegis/auth
          readOnly: true
        {{- if .Values.api.tlsSecret }}
        - name: tls
          mountPath: /etc/aegis/tls
          readOnly: true
        {{- end }}
        {{- with include "aegis.authorityMount" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        - name: data
          mountPath: /var/lib/aegis
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: policy
      configMap:
        name: {{ include "aegis.policyConfigMap" . }}
    - name: audit-key
      secret:
        secretName: {{ .Values.audit.keySecret.name }}
        # 0440: root's, and readable by the pod's group alone, as the service asks of a private key
        defaultMode: 288
        items:
          - key: {{ .Values.audit.keySecret.key | quote }}
            path: audit.key
    - name: auth
      configMap:
        name: {{ include "aegis.fullname" . }}-auth
    {{- if .Values.api.tlsSecret }}
    - name: tls
      secret:
        secretName: {{ .Values.api.tlsSecret }}
        defaultMode: 288
    {{- end }}
    {{- with include "aegis.authorityVolume" . | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    - name: data
      emptyDir:
        sizeLimit: {{ .Values.models.volumeSize }}
    - name: tmp
      emptyDir:
        sizeLimit: 256Mi
{{- end -}}

{{/* docs/runtime.md lists them. */}}
{{- define "aegis.apiVariables" -}}
- name: AEGIS_POLICY
  value: /etc/aegis/policy/aegis.yml
- name: AEGIS_DATA
  # below the volume, since the volume's own folder is open to its group
  value: /var/lib/aegis/data
- name: HOME
  value: /tmp
- name: AEGIS_SERVICE
  value: {{ include "aegis.fullname" . | quote }}
- name: AEGIS_AUDIT
  value: postgresql
- name: AEGIS_AUDIT_KEY
  value: /etc/aegis/audit/audit.key
- name: AEGIS_AUDIT_ORIGIN
  value: {{ .Values.audit.origin | default (printf "%s.%s/audit" (include "aegis.fullname" .) .Release.Namespace) | quote }}
- name: AEGIS_AUTH
  value: /etc/aegis/auth/auth.yml
- name: AEGIS_HANDOFF
  value: {{ .Values.models.handoff }}
- name: AEGIS_KEPT_BYTES
  value: {{ int64 .Values.models.keptBytes | quote }}
{{ include "aegis.databaseVariables" (dict "root" . "variable" "DATABASE_URL" "url" .Values.database.url "password" .Values.database.passwordSecret) }}
{{ include "aegis.regionVariables" . }}
{{ include "aegis.secretVariable" (dict "variable" "COSIGN_PUB_KEY" "secret" .Values.policy.cosignKeySecret) }}
{{- with .Values.alerts }}
{{- if .alertmanager }}
- name: AEGIS_ALERTMANAGER
  value: {{ .alertmanager | quote }}
{{- end }}
{{ include "aegis.secretVariable" (dict "variable" "AEGIS_ALERT_WEBHOOK" "secret" .webhookSecret) }}
{{- if .repository }}
- name: AEGIS_ALERT_REPOSITORY
  value: {{ .repository | quote }}
{{ include "aegis.secretVariable" (dict "variable" "AEGIS_ALERT_TOKEN" "secret" .tokenSecret) }}
{{- end }}
{{- end }}
{{- range .Values.api.extraEnv }}
- name: {{ .name }}
  value: {{ .value | quote }}
{{- end }}
{{- end -}}
