/**
 * Prints, as JSON, how many operations each event of fleet-events.ts costs in a fleet of each size. The sizes are the
 * arguments: `100000` for a fleet with all that belongs to it, `100000/1000` if only so many clients have services, and `acl/1000`
 * for its ACL objects alone. All fleets come first: what counts slows down every map that the process builds afterwards.
 */
import { aclFleetOf, peopleFleetOf } from '../../acl/state/acl-fleet.js';
import { EVENTS, fleetOf, plan } from '../fleet-events.js';
import { countOperations } from './operations.js';

const fleets = process.argv.slice(2).map((argument) => {
  const [kind = '', part] = argument.split('/');
  const size = Number(kind === 'acl' ? part : kind);
  const fleet = kind === 'acl' ? undefined : fleetOf(size, Number(part ?? size));
  if (kind !== 'acl' && part !== undefined) return { fleet, others: {} };
  return {
    fleet,
    others: {
      'ACL objects that one client loses': aclFleetOf(size),
      'a policy of a client beside many people': peopleFleetOf(size),
    },
  };
});
const counts = fleets.map(({ fleet, others }) => {
  const costs =
    fleet === undefined
      ? []
      : EVENTS.map(([name, update]) => [name, countOperations(() => plan(update(fleet), fleet))]);
  return Object.fromEntries([
    ...costs,
    ...Object.entries(others).map(([name, work]) => [name, countOperations(work)]),
  ]);
});
process.stdout.write(JSON.stringify(counts));
