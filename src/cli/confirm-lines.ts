import type { Config, ProviderSettings } from '../../config/config.js';
import { groupBy } from '../model/group-by.js';
import { toShellWord } from '../model/shell-word.js';
import { clientText } from '../plan/world.js';
import type { Proposal, ProposedClaim } from '../proposal/proposal.js';

export interface ClaimConfig {
  readonly providers: readonly Pick<ProviderSettings, 'name' | 'kind' | 'issuer'>[];
  readonly services: Pick<Config['services'], 'clientMeta'>;
}

/** What a person copies to make the proposed claims. */
export interface ConfirmLines {
  readonly providers: readonly ProviderLines[];
  /** Service definitions, in part. */
  readonly consul: readonly string[];
  /** The services whose lines are missing, since a name has characters that could change what the lines do. */
  readonly left: readonly string[];
}

export interface ProviderLines {
  readonly provider: string;
  readonly kind: ProviderSettings['kind'];
  /** For a shell; for `oidc` the parts of the directory document. */
  readonly lines: readonly string[];
  /** Empty for `oidc`. */
  readonly terraform: readonly string[];
}

/** Neither a shell, nor HCL, nor JSON, nor Markdown reads one of these as more than a character of a name. */
const SAFE = /^[A-Za-z0-9][A-Za-z0-9._~:/@+,-]{0,511}$/;

export function confirmLines(proposal: Pick<Proposal, 'claims'>, config: ClaimConfig): ConfirmLines {
  const toMake = proposal.claims.flatMap((claim) => {
    const [meta, attribute] = [metaOf(claim, config), attributeOf(claim, proposal)];
    return meta === undefined && attribute === undefined ? [] : [{ claim, meta, attribute }];
  });
  const isSafe = ({ claim, meta, attribute }: (typeof toMake)[number]) =>
    [claim.client.clientId, claim.internalId, attribute, ...Object.entries(meta ?? {}).flat()].every(
      (text) => text === undefined || SAFE.test(text),
    );
  const safe = toMake.filter(isSafe);
  const byClient = groupBy(safe, ({ claim }) => clientText(claim.client));
  const clients = [...byClient.values()].flatMap(([first]) =>
    first?.attribute === undefined ? [] : [{ claim: first.claim, attribute: first.attribute }],
  );
  return {
    providers: config.providers.flatMap((settings) => {
      const texts = clients
        .filter(({ claim }) => claim.client.provider === settings.name)
        .map(({ claim, attribute }) => textsOf(settings, claim, attribute));
      if (texts.length === 0) return [];
      const [lines, terraform] = [
        texts.map(({ line }) => line),
        texts.flatMap((each) => each.terraform ?? []),
      ];
      return [{ provider: settings.name, kind: settings.kind, lines, terraform }];
    }),
    consul: safe.flatMap(({ claim, meta }) =>
      meta === undefined ? [] : [hcl('service', { name: claim.service.name, meta })],
    ),
    left: toMake.filter((each) => !isSafe(each)).map(({ claim }) => claim.service.name),
  };
}

function textsOf(
  { kind, issuer }: ClaimConfig['providers'][number],
  { service, client: { clientId }, internalId }: ProposedClaim,
  services: string,
): { readonly line: string; readonly terraform?: string } {
  const attribute = { 'consul-services': services };
  const resource = (type: string, argument: Readonly<Record<string, unknown>>) =>
    `# client ${clientId}\n${hcl(`resource "${type}" "${service.name.replaceAll('.', '_')}"`, argument)}`;
  switch (kind) {
    case 'keycloak': {
      const realm = toShellWord(new URL(issuer).pathname.split('/').at(-1) ?? '');
      const query = `kcadm.sh get clients -r ${realm} -q clientId=${clientId} --fields id --format csv --noquotes`;
      return {
        line: `kcadm.sh update "clients/$(${query})" -r ${realm} -s 'attributes."consul-services"=${services}'`,
        terraform: resource('keycloak_openid_client', { extra_config: attribute }),
      };
    }
    case 'okta': {
      const app = `/api/v1/apps/${internalId ?? clientId}`;
      return {
        line: `okta GET ${app} | jq '.profile["consul-services"] = "${services}"' | okta PUT ${app} -d @-`,
        terraform: resource('okta_app_oauth', { profile: JSON.stringify(attribute) }),
      };
    }
    case 'entra': {
      const notes = `consul-services: ${services}`;
      const url = `https://graph.microsoft.com/v1.0/servicePrincipals(appId='${clientId}')`;
      return {
        line: `az rest --method PATCH --url "${url}" --body '${JSON.stringify({ notes })}'`,
        terraform: resource('azuread_service_principal', { notes }),
      };
    }
    case 'auth0':
      return {
        line: `auth0 api patch clients/${clientId} --data '${JSON.stringify({ client_metadata: attribute })}'`,
        terraform: resource('auth0_client', { client_metadata: attribute }),
      };
    case 'oidc':
      return { line: JSON.stringify({ clientId, attributes: attribute }) };
  }
}

/** A block with these arguments. JSON is the form of a text and of a map in HCL too, as long as no text has `${`. */
function hcl(head: string, values: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(values).map(([key, value]) => `  ${key} = ${hclValue(value)}`);
  return `${head} {\n${lines.join('\n')}\n}`;
}

function hclValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const pairs = Object.entries(value).map(
    ([key, each]) => `${JSON.stringify(key)} = ${JSON.stringify(each)}`,
  );
  return `{ ${pairs.join(', ')} }`;
}

/** The meta that the service must register; undefined if it claims its client already. */
export function metaOf(
  { needsMeta, client }: ProposedClaim,
  { services, providers }: ClaimConfig,
): Readonly<Record<string, string>> | undefined {
  if (!needsMeta) return undefined;
  return {
    [services.clientMeta]: client.clientId,
    ...(providers.length > 1 ? { 'oauth-provider': client.provider } : {}),
  };
}

/** The whole value of the client's attribute `consul-services`; undefined if the client names the service already. */
export function attributeOf(
  { client, needsAttribute }: ProposedClaim,
  { claims }: Pick<Proposal, 'claims'>,
): string | undefined {
  if (!needsAttribute) return undefined;
  const same = claims.filter(
    (each) => each.client.provider === client.provider && each.client.clientId === client.clientId,
  );
  return [...new Set(same.flatMap(({ named, service }) => [...named, service.name]))].join(',');
}
