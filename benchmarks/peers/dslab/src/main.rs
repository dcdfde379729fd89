//! VMs that come and go one by one, placed by best fit, in the IaaS simulator of DSLab.
//!
//! Arguments: a configuration of the simulator, a table with the columns arrival_s, lifetime_s,
//! vcpus and memory_gib, the number of hosts, the end of the run in s. Prints, as JSON, how many VMs
//! ran and the hours of their vCPUs.

use dslab_iaas::core::config::sim_config::SimulationConfig;
use dslab_iaas::core::vm::ResourceConsumer;
use dslab_iaas::core::vm_placement_algorithm::VMPlacementAlgorithm;
use dslab_iaas::core::vm_placement_algorithms::best_fit::BestFit;
use dslab_iaas::simulation::CloudSimulation;
use dslab_models::power::cpu_models::linear::LinearCpuPowerModel;
use dslab_models::power::host::HostPowerModelBuilder;
use simcore::simulation::Simulation;

const CORES: u32 = 32;
const HOST_GIB: u64 = 256;
const LOAD: f64 = 0.5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let hosts: u32 = arguments[3].parse().expect("number of hosts");
    let end_s: f64 = arguments[4].parse().expect("end of the run");
    let mut farm = CloudSimulation::new(
        Simulation::new(1),
        SimulationConfig::from_file(&arguments[1]),
    );
    farm.set_host_power_model(
        HostPowerModelBuilder::new()
            .cpu(Box::new(LinearCpuPowerModel::new(100.0, 200.0)))
            .build(),
    );
    for n in 0..hosts {
        farm.add_host(&format!("h{n}"), CORES, HOST_GIB);
    }
    let scheduler = farm.add_scheduler("s", VMPlacementAlgorithm::single(BestFit::new()));
    let table = std::fs::read_to_string(&arguments[2]).expect("table of VMs");
    let mut vms: Vec<(u32, f64)> = Vec::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let arrival_s: f64 = cells[0].parse().expect("arrival");
        let lifetime_s: f64 = cells[1].parse().expect("lifetime");
        let vcpus: u32 = cells[2].parse().expect("vCPUs");
        let memory_gib: u64 = cells[3].parse().expect("memory");
        if arrival_s >= end_s {
            continue;
        }
        let needs = ResourceConsumer::with_const_load(vcpus, memory_gib, LOAD, 1.0);
        let vm = farm.spawn_vm_with_delay(needs, lifetime_s, None, scheduler, arrival_s);
        vms.push((vm, lifetime_s));
    }
    farm.step_until_time(end_s);
    let (mut ran, mut vcpu_s) = (0, 0.0);
    for (id, lifetime_s) in vms {
        let vm = farm.vm(id);
        let vm = vm.borrow();
        if vm.start_time() >= 0.0 && vm.start_time() < end_s {
            ran += 1;
            vcpu_s += f64::from(vm.cpu_usage) * lifetime_s.min(end_s - vm.start_time());
        }
    }
    println!("{{\"vms\": {ran}, \"vcpu_hours\": {}}}", vcpu_s / 3600.0);
}
