import ConclaveSimulator

/// Clusters of the product, one for each seed.
package typealias ClusterSweep = SeedSweep<NodeServer, WorkloadClient>
