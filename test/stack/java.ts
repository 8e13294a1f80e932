/**
 * How the tests run Java, without the size of its heap. A server of a test lives for a minute: these halve the processor
 * time of its start, and what they cost (the second compiler, checks of classes that install.sh fetched) shows much later.
 */
export const JAVA_OPTIONS = [
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
  '-XX:MetaspaceSize=96m',
  // Has to come before the next one.
  '-XX:+UnlockDiagnosticVMOptions',
  '-XX:-BytecodeVerificationRemote',
];
