import { toShellWord } from '../../model/shell-word.js';
import { allowsAnything } from '../../plan/precedence.js';
import type { WorldState } from '../../state/world-state.js';
import { error, type Finding, namesText } from './finding.js';

/** A protected service that an intention opens, whoever wrote it. The most specific intention of a source decides. */
export function protectedFindings({ entries, mapping }: WorldState): readonly Finding[] {
  const ofAll = [...entries.values()].find(({ destination }) => destination.name === '*');
  return mapping.protectedServices.flatMap((name): readonly Finding[] => {
    const own = [...entries.values()].flatMap(({ destination, sources }) =>
      destination.name.toLowerCase() === name ? sources : [],
    );
    const isDecided = (source: string) => own.some((each) => each.name === source || each.name === '*');
    const wide = (ofAll?.sources ?? []).filter((source) => !isDecided(source.name));
    const open = [...own, ...wide].filter(({ access }) => allowsAnything(access));
    if (open.length === 0) return [];
    const callers = [...new Set(open.map((source) => (source.name === '*' ? 'every service' : source.name)))];
    return [
      error(
        'protected.open',
        `the protected service ${name} is open to ${namesText(callers)}`,
        `look at the intentions: consul config read -kind service-intentions -name ${toShellWord(own.length > 0 ? name : '*')}; scopemesh closes its own ones, remove the others`,
      ),
    ];
  });
}
