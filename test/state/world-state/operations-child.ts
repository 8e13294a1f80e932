/**
 * Prints, as JSON, how many operations each event of fleet-events.ts costs in a fleet of each size. The sizes are the
 * arguments: `100000` for a fleet with all that belongs to it, and `100000/10000` if only so many clients have services.
 * All fleets come first: what counts slows down every map that the process builds afterwards.
 */
import { aclFleetOf, peopleFleetOf } from '../acl-fleet.js';
import { EVENTS, fleetOf, plan } from '../fleet-events.js';
import { countOperations } from './operations.js';

const fleets = process.argv.slice(2).map((argument) => {
  const [size = 0, withServices] = argument.split('/').map(Number);
  if (withServices !== undefined) return { fleet: fleetOf(size, withServices), others: {} };
  return {
    fleet: fleetOf(size),
    others: {
      'ACL objects that one client loses': aclFleetOf(size),
      'a policy of a client beside many people': peopleFleetOf(size),
    },
  };
});
const counts = fleets.map(({ fleet, others }) => {
  const costs = EVENTS.map(([name, update]) => [name, countOperations(() => plan(update(fleet), fleet))]);
  return Object.fromEntries([
    ...costs,
    ...Object.entries(others).map(([name, work]) => [name, countOperations(work)]),
  ]);
});
process.stdout.write(JSON.stringify(counts));
