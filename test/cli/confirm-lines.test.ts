import { describe, expect, it } from 'vitest';
import type { ProviderSettings } from '../../config/config.js';
import { confirmLines } from '../../src/cli/confirm-lines.js';
import type { ProposedClaim } from '../../src/proposal/proposal.js';
import { named } from '../plan/scene.js';

const claim = (service: string, clientId: string, changes: Partial<ProposedClaim> = {}): ProposedClaim => ({
  service: named(service),
  client: { provider: 'main', clientId },
  evidence: 'pattern',
  needsMeta: true,
  needsAttribute: true,
  named: [],
  isRegistered: true,
  ...changes,
});

function linesOf(kind: ProviderSettings['kind'], claims: readonly ProposedClaim[]) {
  const issuer = 'https://id.example.com/realms/main';
  return confirmLines(
    { claims },
    {
      providers: [{ name: 'main', kind, issuer }],
      services: { clientMeta: 'oauth-client-id' },
    },
  );
}

describe('the lines that confirm a claim', () => {
  it.each([
    [
      'keycloak',
      `kcadm.sh update "clients/$(kcadm.sh get clients -r main -q clientId=web-app --fields id --format csv --noquotes)" -r main -s 'attributes."consul-services"=shop,web'`,
      '# client web-app\nresource "keycloak_openid_client" "web" {\n  extra_config = { "consul-services" = "shop,web" }\n}',
    ],
    [
      'okta',
      `okta GET /api/v1/apps/0oa1 | jq '.profile["consul-services"] = "shop,web"' | okta PUT /api/v1/apps/0oa1 -d @-`,
      '# client web-app\nresource "okta_app_oauth" "web" {\n  profile = "{\\"consul-services\\":\\"shop,web\\"}"\n}',
    ],
    [
      'entra',
      `az rest --method PATCH --url "https://graph.microsoft.com/v1.0/servicePrincipals(appId='web-app')" --body '{"notes":"consul-services: shop,web"}'`,
      '# client web-app\nresource "azuread_service_principal" "web" {\n  notes = "consul-services: shop,web"\n}',
    ],
    [
      'auth0',
      `auth0 api patch clients/web-app --data '{"client_metadata":{"consul-services":"shop,web"}}'`,
      '# client web-app\nresource "auth0_client" "web" {\n  client_metadata = { "consul-services" = "shop,web" }\n}',
    ],
    ['oidc', '{"clientId":"web-app","attributes":{"consul-services":"shop,web"}}', undefined],
  ] as const)('are those of %s, with the services that the client names already', (kind, line, terraform) => {
    const { providers } = linesOf(kind, [claim('web', 'web-app', { named: ['shop'], internalId: '0oa1' })]);
    expect(providers).toEqual([
      { provider: 'main', kind, lines: [line], terraform: terraform === undefined ? [] : [terraform] },
    ]);
  });

  it('name all services of a client in one line, and each service in Consul', () => {
    const { providers, consul } = linesOf('auth0', [claim('web', 'app'), claim('job', 'app')]);
    expect(providers.flatMap(({ lines }) => lines)).toEqual([
      `auth0 api patch clients/app --data '{"client_metadata":{"consul-services":"web,job"}}'`,
    ]);
    expect(consul).toEqual([
      'service {\n  name = "web"\n  meta = { "oauth-client-id" = "app" }\n}',
      'service {\n  name = "job"\n  meta = { "oauth-client-id" = "app" }\n}',
    ]);
  });

  it('never have a name that a shell, Terraform or the report could read as more than a name', () => {
    const hostile = [
      "a';rm -rf ~;'",
      '$(reboot)',
      '`reboot`',
      ['$', '{file("x")}'].join(''),
      'a\n```\n# title',
      '-rf',
      'a"b',
      'a b',
    ];
    for (const clientId of hostile)
      expect(linesOf('keycloak', [claim('web', clientId), claim('job', 'job')])).toMatchObject({
        providers: [{ lines: [expect.stringContaining('clientId=job ')] }],
        consul: [expect.stringContaining('"job"')],
        left: ['web'],
      });
    const other = claim('web', 'web', { named: ["x';reboot;'"] });
    expect(linesOf('okta', [other])).toEqual({ providers: [], consul: [], left: ['web'] });
  });
});
