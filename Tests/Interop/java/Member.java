import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.TreeMap;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.retry.RetryOneTime;

/**
 * A member of Curator's group, as told on standard input, one order a line.
 *
 * <pre>
 * members    answers "members NAME=PAYLOAD …", sorted
 * leave      answers "left" and ends
 * </pre>
 */
public final class Member {
    public static void main(String[] arguments) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.newClient(
            arguments[0], Integer.parseInt(arguments[1]), 10_000, new RetryOneTime(100));
        client.start();
        client.blockUntilConnected();
        GroupMember member = new GroupMember(
            client, arguments[2], arguments[3], arguments[4].getBytes(StandardCharsets.UTF_8));
        member.start();
        System.out.println("started");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.equals("leave")) {
                member.close();
                client.close();
                System.out.println("left");
                break;
            }
            StringBuilder answer = new StringBuilder("members");
            new TreeMap<>(member.getCurrentMembers()).forEach((name, payload) ->
                answer.append(' ').append(name).append('=').append(new String(payload, StandardCharsets.UTF_8)));
            System.out.println(answer);
        }
        Runtime.getRuntime().halt(0);
    }
}
