import ch.qos.logback.classic.Level;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.cloudsimplus.allocationpolicies.VmAllocationPolicyRoundRobin;
import org.cloudsimplus.brokers.DatacenterBrokerSimple;
import org.cloudsimplus.cloudlets.Cloudlet;
import org.cloudsimplus.cloudlets.CloudletSimple;
import org.cloudsimplus.core.CloudSimPlus;
import org.cloudsimplus.datacenters.DatacenterSimple;
import org.cloudsimplus.hosts.Host;
import org.cloudsimplus.hosts.HostSimple;
import org.cloudsimplus.power.models.PowerModelHostSimple;
import org.cloudsimplus.resources.Pe;
import org.cloudsimplus.resources.PeSimple;
import org.cloudsimplus.schedulers.cloudlet.CloudletSchedulerTimeShared;
import org.cloudsimplus.schedulers.vm.VmSchedulerTimeShared;
import org.cloudsimplus.util.Log;
import org.cloudsimplus.utilizationmodels.UtilizationModel;
import org.cloudsimplus.utilizationmodels.UtilizationModelAbstract;
import org.cloudsimplus.vms.Vm;
import org.cloudsimplus.vms.VmSimple;

/**
 * A farm without migrations whose VMs follow a recorded load, in CloudSim Plus.
 *
 * <p>Arguments: a table of percentages with a column of time and one for each series, the number of
 * hosts, the number of VMs. VM n has series n, counted round. Prints, as JSON, how many VMs ran and
 * the energy of all hosts in kWh.
 */
public final class NoMoves {
    private static final double STEP_S = 300;
    private static final int CORES = 32;
    private static final double CLOCK_MHZ = 2500;
    private static final int VM_CORES = 2;
    private static final long HOST_MIB = 262_144;
    private static final long VM_MIB = 4_096;
    private static final double IDLE_W = 100;
    private static final double MAX_W = 200;

    private static double energyJ;
    private static double lastS;
    private static double lastW;

    private NoMoves() {}

    /** Load of one series at the time of the clock, as a share of the VM. */
    private static final class Recorded extends UtilizationModelAbstract {
        private final double[] share;

        Recorded(final double[] share) {
            this.share = share;
        }

        @Override
        protected double getUtilizationInternal(final double timeS) {
            return share[Math.min((int) (timeS / STEP_S), share.length - 1)];
        }
    }

    public static void main(final String[] arguments) throws IOException {
        Log.setLevel(Level.OFF);
        final double[][] series = read(Path.of(arguments[0]));
        final double endS = series[0].length * STEP_S;
        final var simulation = new CloudSimPlus();
        final List<Host> hosts = hosts(Integer.parseInt(arguments[1]));
        final var datacenter =
            new DatacenterSimple(simulation, hosts, new VmAllocationPolicyRoundRobin());
        datacenter.setSchedulingInterval(STEP_S);
        final var broker = new DatacenterBrokerSimple(simulation);
        final List<Vm> vms = new ArrayList<>();
        final List<Cloudlet> cloudlets = new ArrayList<>();
        for (int n = 0; n < Integer.parseInt(arguments[2]); n++) {
            final var vm = new VmSimple(CLOCK_MHZ, VM_CORES);
            vm.setRam(VM_MIB).setBw(1).setSize(1);
            vm.setCloudletScheduler(new CloudletSchedulerTimeShared());
            // Longer than the run even at full load, so that no VM is ever without work.
            final long length = (long) (2 * CLOCK_MHZ * endS);
            final var cloudlet =
                new CloudletSimple(length, VM_CORES, new Recorded(series[n % series.length]));
            cloudlet.setUtilizationModelRam(UtilizationModel.NULL);
            cloudlet.setUtilizationModelBw(UtilizationModel.NULL);
            cloudlet.setVm(vm);
            vms.add(vm);
            cloudlets.add(cloudlet);
        }
        broker.submitVmList(vms);
        broker.submitCloudletList(cloudlets);
        simulation.addOnClockTickListener(tick -> account(hosts, tick.getTime()));
        simulation.terminateAt(endS);
        simulation.start();
        energyJ += (endS - lastS) * lastW;
        final long ran = vms.stream().filter(vm -> vm.getHost() != Host.NULL).count();
        System.out.printf(
            Locale.ROOT, "{\"vms\": %d, \"energy_kwh\": %.6f}%n", ran, energyJ / 3.6e6);
    }

    /** Add the energy since the last event, and note the power from now on. */
    private static void account(final List<Host> hosts, final double nowS) {
        energyJ += (nowS - lastS) * lastW;
        lastS = nowS;
        lastW = 0;
        for (final Host host : hosts) {
            lastW += host.getPowerModel().getPower(host.getCpuPercentUtilization());
        }
    }

    private static List<Host> hosts(final int count) {
        final List<Host> hosts = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            final List<Pe> cores = new ArrayList<>();
            for (int core = 0; core < CORES; core++) {
                cores.add(new PeSimple(CLOCK_MHZ));
            }
            final var host = new HostSimple(HOST_MIB, 100_000L, 1_000_000L, cores);
            host.setVmScheduler(new VmSchedulerTimeShared());
            host.setPowerModel(new PowerModelHostSimple(MAX_W, IDLE_W));
            hosts.add(host);
        }
        return hosts;
    }

    /** Return the series of a table of percentages as shares, a row for each series. */
    private static double[][] read(final Path path) throws IOException {
        final List<String> lines = Files.readAllLines(path);
        final int count = lines.get(0).split(",").length - 1;
        final double[][] series = new double[count][lines.size() - 1];
        for (int slot = 0; slot < lines.size() - 1; slot++) {
            final String[] cells = lines.get(slot + 1).split(",");
            for (int n = 0; n < count; n++) {
                series[n][slot] = Double.parseDouble(cells[n + 1]) / 100;
            }
        }
        return series;
    }
}
