import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.queue.QueueBase;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.RetryOneTime;

/**
 * Uses Curator's queues and barriers, and the queue that comes with ZooKeeper, as told on standard input.
 *
 * <pre>
 * put KIND PATH NUMBER ITEM …    KIND: fifo, priority, delay (NUMBER is the priority or milliseconds), zookeeper
 * take KIND PATH COUNT           says "took ITEM" for each, then "taken PATH"
 * close PATH, open PATH          a gate
 * pass PATH                      says "passed PATH"
 * together NAME PATH COUNT       says "entered NAME"; leaves when told "leave NAME" and then says "left NAME"
 * </pre>
 */
public final class Gatherer {
    private interface Order {
        void run() throws Exception;
    }

    private static final QueueSerializer<String> serializer = new QueueSerializer<>() {
        @Override public byte[] serialize(String item) { return item.getBytes(StandardCharsets.UTF_8); }
        @Override public String deserialize(byte[] bytes) { return new String(bytes, StandardCharsets.UTF_8); }
    };

    private static final ExecutorService threads = Executors.newCachedThreadPool();
    private static final Map<String, DistributedDoubleBarrier> barriers = new ConcurrentHashMap<>();
    private static CuratorFramework client;

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void order(Order order) {
        threads.execute(() -> {
            try {
                order.run();
            } catch (Throwable problem) {
                say("failed " + problem);
            }
        });
    }

    private static void put(String[] words) throws Exception {
        long number = Long.parseLong(words[3]);
        for (int place = 4; place < words.length; place++) {
            String item = words[place];
            QueueBuilder<String> builder =
                QueueBuilder.builder(client, null, serializer, words[2]).putInBackground(false);
            switch (words[1]) {
                case "fifo" -> { try (var queue = builder.buildQueue()) { queue.start(); queue.put(item); } }
                case "priority" -> {
                    try (var queue = builder.buildPriorityQueue(1)) { queue.start(); queue.put(item, (int) number); }
                }
                case "delay" -> {
                    try (var queue = builder.buildDelayQueue()) {
                        queue.start();
                        queue.put(item, System.currentTimeMillis() + number);
                    }
                }
                default -> ownQueue(words[2]).offer(serializer.serialize(item));
            }
        }
        say("put " + words[2]);
    }

    private static org.apache.zookeeper.recipes.queue.DistributedQueue ownQueue(String path) throws Exception {
        return new org.apache.zookeeper.recipes.queue.DistributedQueue(
            client.getZookeeperClient().getZooKeeper(), path, null);
    }

    private static void take(String kind, String path, int count) throws Exception {
        if (kind.equals("zookeeper")) {
            for (int i = 0; i < count; i++) say("took " + serializer.deserialize(ownQueue(path).take()));
            say("taken " + path);
            return;
        }
        java.util.concurrent.CountDownLatch left = new java.util.concurrent.CountDownLatch(count);
        QueueConsumer<String> consumer = new QueueConsumer<>() {
            @Override public void consumeMessage(String item) {
                say("took " + item);
                left.countDown();
            }
            @Override public void stateChanged(CuratorFramework client, ConnectionState state) { }
        };
        QueueBuilder<String> builder = QueueBuilder.builder(client, consumer, serializer, path);
        QueueBase<String> queue = switch (kind) {
            case "fifo" -> builder.buildQueue();
            case "priority" -> builder.buildPriorityQueue(1);
            default -> builder.buildDelayQueue();
        };
        queue.start();
        if (!left.await(30, TimeUnit.SECONDS)) throw new IllegalStateException("items are missing");
        queue.close();
        say("taken " + path);
    }

    public static void main(String[] arguments) throws Exception {
        int timeout = Integer.parseInt(arguments[1]);
        client = CuratorFrameworkFactory.newClient(arguments[0], timeout, 10_000, new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "put" -> order(() -> put(words));
                case "take" -> order(() -> take(words[1], words[2], Integer.parseInt(words[3])));
                case "close" -> order(() -> {
                    new DistributedBarrier(client, words[1]).setBarrier();
                    say("closed " + words[1]);
                });
                case "open" -> order(() -> {
                    new DistributedBarrier(client, words[1]).removeBarrier();
                    say("opened " + words[1]);
                });
                case "pass" -> order(() -> {
                    new DistributedBarrier(client, words[1]).waitOnBarrier();
                    say("passed " + words[1]);
                });
                case "together" -> order(() -> {
                    var barrier = new DistributedDoubleBarrier(client, words[2], Integer.parseInt(words[3]));
                    barriers.put(words[1], barrier);
                    barrier.enter();
                    say("entered " + words[1]);
                });
                case "leave" -> order(() -> {
                    barriers.get(words[1]).leave();
                    say("left " + words[1]);
                });
                default -> say("failed: unknown order " + words[0]);
            }
        }
        Runtime.getRuntime().halt(0);
    }
}
