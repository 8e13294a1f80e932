import type { Access } from '../model/intention.js';
import { canonical, digest } from '../plan/access.js';

/** Accesses in the smallest parts that a rule can open: everything, or one method at one path. Each once, sorted. */
export function partsOf(accesses: readonly Access[]): readonly Access[] {
  const parts = accesses.flatMap((access): readonly Access[] => {
    if (access.kind === 'deny') return [];
    if (access.kind === 'allow') return [access];
    return access.permissions.flatMap((permission) =>
      (permission.methods ?? [undefined]).map((method) =>
        canonical({
          kind: 'http',
          permissions: [method === undefined ? permission : { ...permission, methods: [method] }],
        }),
      ),
    );
  });
  return [...new Map(parts.map((part) => [digest(part), part])).values()];
}
