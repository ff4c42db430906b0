import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Collection;
import java.util.Map;
import java.util.TreeMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.retry.BoundedExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;

/**
 * Curator's counters and service discovery, as told on standard input, one order a line.
 *
 * <pre>
 * add PATH TIMES              adds one so many times; "added SUM"
 * count PATH NUMBER           sets a shared count and reads it back; "counted NUMBER"
 * register BASE NAME ID PORT  registers an instance with a map as its payload; "registered ID"
 * query BASE NAME             "found ID ADDRESS:PORT PAYLOAD" for each instance, "queried COUNT"
 * </pre>
 */
public final class Naming {
    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static ServiceDiscovery<Object> discovery(CuratorFramework client, String base) {
        return ServiceDiscoveryBuilder.builder(Object.class).client(client).basePath(base).build();
    }

    private static void perform(CuratorFramework client, String[] words) throws Exception {
        switch (words[0]) {
            case "add" -> {
                DistributedAtomicLong counter =
                    new DistributedAtomicLong(client, words[1], new BoundedExponentialBackoffRetry(1, 50, 1_000_000));
                long sum = 0;
                for (int turn = 0; turn < Integer.parseInt(words[2]); turn++) {
                    AtomicValue<Long> value = counter.increment();
                    if (!value.succeeded()) throw new IllegalStateException("not added");
                    sum = value.postValue();
                }
                say("added " + sum);
            }
            case "count" -> {
                try (SharedCount count = new SharedCount(client, words[1], 0)) {
                    count.start();
                    count.setCount(Integer.parseInt(words[2]));
                    say("counted " + count.getCount());
                }
            }
            case "register" -> {
                ServiceDiscovery<Object> discovery = discovery(client, words[1]);
                discovery.start();
                Map<String, String> payload = new TreeMap<>();
                payload.put("zone", "java");
                discovery.registerService(ServiceInstance.<Object>builder().name(words[2]).id(words[3])
                    .address("10.0.0.8").port(Integer.parseInt(words[4])).payload(payload).build());
                say("registered " + words[3]);
            }
            case "query" -> {
                ServiceDiscovery<Object> discovery = discovery(client, words[1]);
                discovery.start();
                Collection<ServiceInstance<Object>> found = discovery.queryForInstances(words[2]);
                for (ServiceInstance<Object> one : found) {
                    say("found " + one.getId() + " " + one.getAddress() + ":" + one.getPort() + " " + one.getPayload()
                        + (one.isEnabled() ? "" : " disabled"));
                }
                say("queried " + found.size());
            }
            default -> say("failed " + words[0] + " is no order");
        }
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(
            arguments[0], Integer.parseInt(arguments[1]), 10_000, new BoundedExponentialBackoffRetry(10, 100, 5));
        client.start();
        client.blockUntilConnected();
        say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            try {
                perform(client, line.split(" "));
            } catch (Throwable problem) {
                say("failed " + problem);
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
