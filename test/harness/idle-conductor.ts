import { compileConductor, formatConfig, runConductor } from '../../conductor/testing/compiled.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';

/** A compiled conductor with a control plane to ask, and nothing to do. */
export async function startIdleConductor(): Promise<{ pid: number; stop: () => Promise<void> }> {
  const executable = await compileConductor('bench');
  const plane = await startControlPlane();
  const config = formatConfig({ jwksUrl: plane.jwksUrl, modelUrl: 'http://127.0.0.1:9' });
  const conductor = await runConductor([executable], config, { ANTHROPIC_API_KEY: 'sk-of-the-bench' });
  return {
    pid: conductor.process.pid ?? 0,
    async stop() {
      await conductor.close();
      await plane.close();
    },
  };
}
