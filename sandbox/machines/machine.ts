/** How a machine is doing, whatever its vendor calls that. */
export type MachineStatus = 'off' | 'booting' | 'running' | 'restarting';

/** What a vendor hands a new disk: the document that configures it on first boot, or none for a bare system. */
export interface FirstBoot {
  kind: 'user-data' | 'post-install';
  text: string;
}

/** What is known of a machine besides how it runs. Persisted. */
export interface MachineRecord {
  /** The vendor and its number, e.g. contabo-200000101; names the machine's folder. */
  id: string;
  vendor: 'contabo' | 'hostinger';
  /** As the vendor's customer named it; for people. */
  name: string;
  ipv4: string;
  /** Switched on: started again when the sandbox starts again. */
  powered: boolean;
  /** An installation that has not ended: done again when the sandbox was killed in the middle. null: of a bare system. */
  installing?: FirstBoot | null;
}

/** One machine. Every operation may be asked for at any time; they run one after the other. */
export interface Machine {
  /** Switches off, wipes the disk and installs anew. Nothing of the former content stays. */
  reinstall(firstBoot: FirstBoot | undefined): Promise<void>;
  /** Switches on; resolves when the boot has begun. */
  boot(): Promise<void>;
  /** Switches off; resolves when nothing of it runs, be it from a sandbox that was killed. */
  powerOff(): Promise<void>;
  /** Switches off and removes the disk. */
  destroy(): Promise<void>;
  status(): MachineStatus;
  /** The last lines of its console. */
  console(): string[];
  /** Where it takes connections, while it does. */
  front(): Front | undefined;
  /** The process id, on this computer, of the first process of a system that has booted. */
  leader(): number | undefined;
  /** Whether the disk holds a conductor, or only a bare system. */
  hasConductor(): boolean;
  /** What stands for `/` on it, so that a person can look. */
  readonly root: string;
}

/** Where a machine takes connections: a conductor's own socket, or the address of a system with Caddy on it. */
export type Front = { socketPath: string } | { host: string; port: number };

/** A way to have machines on this computer. */
export interface MachineKind {
  name: 'process' | 'nspawn';
  /** What a machine of this kind has not, in words for people. */
  leaves_out: readonly string[];
  /** The first three numbers of the addresses that machines may have. */
  addresses: readonly string[];
  /** Gives the machine with that id, folder and address; installs and starts nothing by itself. */
  createMachine(id: string, folder: string, address: string): Machine;
}
