import { type Finding, notice, ok, warning } from './finding.js';

/** A vulnerability of Consul by which a call or a token gets more access than intentions and ACLs allow. */
interface Flaw {
  readonly cve: string;
  /** HashiCorp's own bulletin. */
  readonly bulletin: string;
  /** When the CVE was published. */
  readonly published: string;
  readonly from: Version;
  /** The first release without it. */
  readonly fixed: Version;
  /** Releases of Consul Enterprise that fixed earlier minor versions as well. */
  readonly enterpriseFixed: readonly Version[];
  readonly what: string;
  readonly remedy: string;
  /** Whether this configuration is affected. */
  readonly concerns: (use: Use) => boolean;
}

type Version = readonly [major: number, minor: number, patch: number];

/** What the configuration relies on. */
export interface Use {
  /** Paths that scopemesh does not make plain: of a `pathRegex`, or with `rawPath`. */
  readonly paths: boolean;
  readonly headers: boolean;
  readonly users: boolean;
}

const OF_OCTOBER_2024 = {
  published: '2024-10-30',
  from: [1, 9, 0],
  fixed: [1, 20, 1],
  enterpriseFixed: [
    [1, 15, 15],
    [1, 18, 5],
    [1, 19, 3],
  ],
} as const satisfies Partial<Flaw>;

/**
 * For 1.14 and newer. Versions are from the CVE records (https://www.cve.org/CVERecord?id=…), and differ from some
 * release notes in the patch numbers of Enterprise.
 */
const FLAWS: readonly Flaw[] = [
  {
    // https://discuss.hashicorp.com/t/hcsec-2024-22-consul-l7-intentions-vulnerable-to-url-path-bypass
    cve: 'CVE-2024-10005',
    bulletin: 'HCSEC-2024-22',
    ...OF_OCTOBER_2024,
    what: 'intentions compare the path as the caller wrote it, so /v1/orders/../admin may pass a pathRegex, or a rule with rawPath',
    remedy: 'use 1.20.1 or newer, or write the rule with path; docs/reference/paths.md says which paths pass',
    concerns: ({ paths }) => paths,
  },
  {
    // https://discuss.hashicorp.com/t/hcsec-2024-23-consul-l7-intentions-vulnerable-to-headers-bypass
    cve: 'CVE-2024-10006',
    bulletin: 'HCSEC-2024-23',
    ...OF_OCTOBER_2024,
    what: 'a header that is sent in another case, or several times, can bypass the header rules of an intention',
    remedy: 'use 1.20.1 or newer, and write no rule with a header that the caller sets',
    concerns: ({ headers }) => headers,
  },
  {
    // https://discuss.hashicorp.com/t/hcsec-2023-25-consul-jwt-auth-in-l7-intentions-allow-for-mismatched-service-identity-and-jwt-providers/57004
    cve: 'CVE-2023-3518',
    bulletin: 'HCSEC-2023-25',
    published: '2023-08-09',
    from: [1, 16, 0],
    fixed: [1, 16, 1],
    enterpriseFixed: [],
    what: 'JWT requirements let through services that the intention does not name',
    remedy: 'use 1.16.1 or newer',
    concerns: ({ users }) => users,
  },
  {
    // https://discuss.hashicorp.com/t/hcsec-2023-16-consul-envoy-extension-downstream-proxy-configuration-by-upstream-service-owner/54525
    cve: 'CVE-2023-2816',
    bulletin: 'HCSEC-2023-16',
    published: '2023-06-02',
    from: [1, 15, 0],
    fixed: [1, 15, 3],
    enterpriseFixed: [],
    what: 'everyone who may write a service can change the proxies of the services that call it',
    remedy: 'use 1.15.3 or newer',
    concerns: () => true,
  },
];

/** `warning` if the configuration relies on the broken check. */
export function flawFindings(version: string, use: Use): readonly Finding[] {
  const id = 'consul.flaws';
  const at = parseVersion(version);
  if (at === undefined)
    return [
      notice(
        id,
        'known vulnerabilities are not checked, because the version of Consul cannot be read',
        'give the token agent:read',
      ),
    ];
  const found = FLAWS.filter((flaw) => isAffected(at, flaw));
  if (found.length === 0)
    return [
      ok(id, `scopemesh knows no vulnerability of Consul ${version} that lets a forbidden call through`),
    ];
  return found.map((flaw) => {
    const { cve, bulletin, published, what, remedy } = flaw;
    const message = `Consul ${version} has ${cve} (${bulletin}, ${published}): ${what}`;
    if (!flaw.concerns(use))
      return notice(id, `${message}; no rule of this configuration relies on it`, remedy);
    return warning(id, message, remedy);
  });
}

interface Running {
  readonly version: Version;
  readonly isEnterprise: boolean;
}

function parseVersion(text: string): Running | undefined {
  const found = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})/.exec(text);
  if (found === null) return undefined;
  const [, major, minor, patch] = found.map(Number);
  return { version: [major ?? 0, minor ?? 0, patch ?? 0], isEnterprise: /\+ent/.test(text) };
}

function isAffected({ version, isEnterprise }: Running, flaw: Flaw): boolean {
  if (compare(version, flaw.from) < 0 || compare(version, flaw.fixed) >= 0) return false;
  const line = flaw.enterpriseFixed.find(([major, minor]) => major === version[0] && minor === version[1]);
  return !(isEnterprise && line !== undefined && compare(version, line) >= 0);
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
