const LEAST_SERVICES = 20;
const PART = 0.3;

/** Whether so great a part of the mesh calls a service that a picture with all of its callers would show nothing else. */
export function isHub(callers: number, services: number): boolean {
  return services >= LEAST_SERVICES && callers > services * PART;
}
