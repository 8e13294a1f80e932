import { SCOPE_RULES } from './mesh.js';

export interface ConfigFacts {
  readonly consulAddress: string;
  readonly consulToken: string;
  readonly issuer: string;
  readonly directoryToken: string;
  readonly webhookSecret: string;
  readonly port: number;
}

/** The configuration file of the demo's daemon. It contains its secrets, which are valid only for this demo. */
export function toConfigText(facts: ConfigFacts): string {
  const { consulAddress, consulToken, issuer, directoryToken, webhookSecret, port } = facts;
  return `# Written by scopemesh demo for this run. A real file takes its secrets from \${NAME} or \${file:PATH}.
owner: demo
mode: enforce

consul:
  address: ${consulAddress}
  token: ${consulToken}

providers:
  - name: main
    kind: oidc
    issuer: ${issuer}
    directory: ${issuer}/directory
    directoryToken: ${directoryToken}
    webhook: { secrets: ["${webhookSecret}"] }

${SCOPE_RULES}
queue: { kind: embedded }
decisions: { kind: embedded }
http: { listen: 127.0.0.1:${port} }
state: { directory: ./data }
`;
}
