import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderLatchListener;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;
import org.apache.zookeeper.CreateMode;

/**
 * Curator's recipes under the loads of {@code recipe-load}, with the same names and the same line of result.
 *
 * <pre>java CuratorLoad NAME HOSTS SECONDS</pre>
 *
 * Every measurement first runs a second, or a round, that does not count: Java compiles what runs often.
 */
public final class CuratorLoad {
    private static String hosts;
    private static double seconds;
    private static final String folder = "/curator-load-" + Long.toHexString(System.nanoTime());

    private interface Step { void run() throws Exception; }

    public static void main(String[] words) throws Exception {
        String name = words[0];
        hosts = words[1];
        seconds = Double.parseDouble(words[2]);
        if (name.equals("lock")) handoff(name, 1);
        else if (name.startsWith("handoff-")) handoff(name, Integer.parseInt(name.substring(8)));
        else if (name.equals("election")) election(name);
        else if (name.startsWith("barrier-")) barrier(name, Integer.parseInt(name.substring(8)));
        else if (name.equals("queue-put")) queuePut(name);
        else if (name.equals("queue-take")) queueTake(name);
        else if (name.equals("ids")) ids(name);
        else if (name.equals("fanout-1000")) fanOut(name, 20, 50);
        else {
            System.err.println("CuratorLoad: " + name + " is not known");
            System.exit(2);
        }
        CuratorFramework client = client();
        client.delete().deletingChildrenIfNeeded().forPath(folder);
        client.close();
        System.exit(0);
    }

    private static CuratorFramework client() throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(hosts, 30_000, 10_000, new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        client.createContainers(folder);
        return client;
    }

    private static List<CuratorFramework> clients(int count) throws Exception {
        List<CuratorFramework> clients = new ArrayList<>();
        for (int i = 0; i < count; i++) clients.add(client());
        return clients;
    }

    private static void tell(String name, double value, String unit) {
        System.out.printf(Locale.ROOT, "%s %.5g %s%n", name, value, unit);
    }

    /** How often a second the steps ran through, each in a thread of its own: one second uncounted. */
    private static double rate(List<Step> steps) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        long begin = System.nanoTime() + 1_000_000_000L, end = begin + (long) (seconds * 1e9);
        List<Future<Long>> counts = new ArrayList<>();
        for (Step step : steps) {
            counts.add(threads.submit((Callable<Long>) () -> {
                long count = 0;
                while (true) {
                    step.run();
                    long now = System.nanoTime();
                    if (now >= end) return count;
                    if (now >= begin) count++;
                }
            }));
        }
        long total = 0;
        for (Future<Long> count : counts) total += count.get();
        return total / seconds;
    }

    private static double median(List<Double> times) {
        Double[] sorted = times.toArray(new Double[0]);
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    private static void handoff(String name, int count) throws Exception {
        List<Step> steps = new ArrayList<>();
        for (CuratorFramework client : clients(count)) {
            InterProcessMutex lock = new InterProcessMutex(client, folder + "/lock");
            steps.add(() -> {
                lock.acquire();
                lock.release();
            });
        }
        tell(name, rate(steps), "/s");
    }

    private static void election(String name) throws Exception {
        List<Double> times = new ArrayList<>();
        for (int round = 0; round <= 50; round++) {
            String path = folder + "/election-" + round;
            CuratorFramework first = client(), second = client();
            LeaderLatch leader = new LeaderLatch(first, path, "0");
            leader.start();
            leader.await();
            LeaderLatch successor = new LeaderLatch(second, path, "1");
            AtomicLong end = new AtomicLong();
            CountDownLatch led = new CountDownLatch(1);
            successor.addListener(new LeaderLatchListener() {
                @Override public void isLeader() {
                    end.set(System.nanoTime());
                    led.countDown();
                }
                @Override public void notLeader() { }
            });
            successor.start();
            while (second.getChildren().forPath(path).size() < 2) Thread.onSpinWait();
            long begin = System.nanoTime();
            // The session ends with its client.
            first.getZookeeperClient().getZooKeeper().close();
            led.await();
            if (round > 0) times.add((end.get() - begin) / 1e6);
            successor.close();
            second.close();
            first.close();
        }
        tell(name, median(times), "ms");
    }

    private static void barrier(String name, int count) throws Exception {
        List<CuratorFramework> clients = clients(count);
        ExecutorService threads = Executors.newCachedThreadPool();
        List<Double> times = new ArrayList<>();
        for (int round = 0; round <= 10; round++) {
            String path = folder + "/barrier-" + round;
            CountDownLatch start = new CountDownLatch(1);
            List<Future<?>> members = new ArrayList<>();
            for (CuratorFramework client : clients) {
                DistributedDoubleBarrier barrier = new DistributedDoubleBarrier(client, path, count);
                members.add(threads.submit(() -> {
                    start.await();
                    barrier.enter();
                    barrier.leave();
                    return null;
                }));
            }
            long begin = System.nanoTime();
            start.countDown();
            for (Future<?> member : members) member.get();
            if (round > 0) times.add((System.nanoTime() - begin) / 1e6);
        }
        tell(name, median(times), "ms");
    }

    private static final QueueSerializer<byte[]> bytes = new QueueSerializer<>() {
        @Override public byte[] serialize(byte[] item) { return item; }
        @Override public byte[] deserialize(byte[] item) { return item; }
    };

    private static void queuePut(String name) throws Exception {
        CuratorFramework client = client();
        DistributedQueue<byte[]> queue =
            QueueBuilder.builder(client, null, bytes, folder + "/queue").putInBackground(false).buildQueue();
        queue.start();
        byte[] item = new byte[100];
        tell(name, rate(List.of(() -> queue.put(item))), "/s");
        queue.close();
    }

    private static void queueTake(String name) throws Exception {
        CuratorFramework client = client();
        int count = (int) (2_000 * seconds);
        DistributedQueue<byte[]> filling =
            QueueBuilder.builder(client, null, bytes, folder + "/queue").buildQueue();
        filling.start();
        byte[] item = new byte[100];
        for (int i = 0; i < count; i++) filling.put(item);
        filling.flushPuts(60, java.util.concurrent.TimeUnit.SECONDS);
        CountDownLatch taken = new CountDownLatch(count);
        AtomicReference<Long> begin = new AtomicReference<>();
        QueueConsumer<byte[]> consumer = new QueueConsumer<>() {
            @Override public void consumeMessage(byte[] message) { taken.countDown(); }
            @Override public void stateChanged(CuratorFramework client, ConnectionState state) { }
        };
        begin.set(System.nanoTime());
        DistributedQueue<byte[]> draining =
            QueueBuilder.builder(client, consumer, bytes, folder + "/queue").buildQueue();
        draining.start();
        taken.await();
        tell(name, count / ((System.nanoTime() - begin.get()) / 1e9), "/s");
        draining.close();
        filling.close();
    }

    private static void ids(String name) throws Exception {
        CuratorFramework client = client();
        client.create().forPath(folder + "/ids");
        tell(name, rate(List.of(() -> client.create().withMode(CreateMode.PERSISTENT_SEQUENTIAL)
            .forPath(folder + "/ids/id-", new byte[0]))), "/s");
    }

    private static void fanOut(String name, int sessions, int each) throws Exception {
        List<CuratorFramework> clients = clients(sessions);
        String path = folder + "/value";
        clients.get(0).create().forPath(path, "0".getBytes());
        int rounds = 20;
        AtomicReference<CountDownLatch> arrived = new AtomicReference<>(new CountDownLatch(0));
        AtomicReference<String> wanted = new AtomicReference<>("");
        List<NodeCache> caches = new ArrayList<>();
        for (CuratorFramework client : clients) {
            for (int i = 0; i < each; i++) {
                NodeCache cache = new NodeCache(client, path);
                cache.getListenable().addListener(() -> {
                    if (wanted.get().equals(new String(cache.getCurrentData().getData()))) arrived.get().countDown();
                });
                cache.start(true);
                caches.add(cache);
            }
        }
        List<Double> times = new ArrayList<>();
        for (int round = 1; round <= rounds + 1; round++) {
            wanted.set("" + round);
            CountDownLatch all = new CountDownLatch(sessions * each);
            arrived.set(all);
            long begin = System.nanoTime();
            clients.get(0).setData().forPath(path, ("" + round).getBytes());
            all.await();
            if (round > 1) times.add((System.nanoTime() - begin) / 1e6);
        }
        tell(name, median(times), "ms");
    }
}
