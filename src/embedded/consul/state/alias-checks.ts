import { ensureCheck, memberKey, nodeKey } from './catalog-writes.js';
import type { WriteTransaction } from './state-store.js';

/** The check by which a sidecar follows the service it stands for. */
export function aliasCheckId(sidecarId: string): string {
  return `service:${sidecarId}:2`;
}

/** Gives the alias check of the service's sidecar, if it has one, the worst status among the service's checks. */
export function followService(transaction: WriteTransaction, node: string, serviceId: string): void {
  const alias = transaction.get('checks', memberKey(node, aliasCheckId(`${serviceId}-sidecar-proxy`)));
  if (alias === undefined || alias.Type !== 'alias') return;
  const checks = transaction
    .list('checks', `${nodeKey(node)}/`)
    .filter((check) => check.ServiceID === serviceId);
  const failing =
    checks.find((check) => check.Status === 'critical') ?? checks.find((check) => check.Status === 'warning');
  const { CreateIndex: _created, ModifyIndex: _modified, ...content } = alias;
  const none = checks.length === 0 ? 'No checks found.' : 'All checks passing.';
  ensureCheck(transaction, {
    ...content,
    Status: failing?.Status ?? 'passing',
    Output: failing === undefined ? none : `Aliased check "${failing.Name}" failing: ${failing.Output}`,
  });
}
