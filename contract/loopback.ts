/** True for `localhost` and every name under it (RFC 6761 §6.3). They are dialled at 127.0.0.1, since libc often can't resolve them. */
export function isLocalhostName(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/\.$/, '');
  return name === 'localhost' || name.endsWith('.localhost');
}

/** True for 198.18.0.0/15, the range for networks of tests (RFC 2544 appendix C.2.2), which no router of the internet passes on. */
export function isTestAddress(hostname: string): boolean {
  return /^198\.1[89](\.\d{1,3}){2}$/.test(hostname);
}

/** True for names and addresses that never leave this machine, as `URL.hostname` writes them (RFC 6761 §6.3, RFC 1122 §3.2.1.3). */
export function isLoopbackName(hostname: string): boolean {
  return isLocalhostName(hostname) || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}
