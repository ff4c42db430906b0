/// How the report looks, in light and dark.
enum ReportStyle {
    static let css = """
        :root{color-scheme:light dark;--ink:#1c2430;--soft:#66717f;--line:#dfe4ea;--paper:#fff;--a:#2563c9;--b:#d9622b;--c:#2f9461;
        --d:#8a4fb5}@media(prefers-color-scheme:dark){:root{--ink:#e8ecf1;--soft:#9aa5b3;--line:#333c48;--paper:#14181e;--a:#6ea4ff;
        --b:#ff9a66;--c:#5cc791;--d:#c08be8}}body{background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
        margin:0}main{max-width:760px;margin:0 auto;padding:32px 20px 60px}h1{font-size:30px;margin:0 0 8px}h2{margin:44px 0 4px}
        h3{margin:24px 0 0;font-size:17px}p{margin:4px 0 10px;color:var(--soft)}.lead{font-size:19px;color:var(--ink)}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 16px;font-size:14px}dt{color:var(--soft)}dd{margin:0}
        svg{width:100%;height:auto;display:block}.grid{stroke:var(--line)}.tick,.title,.value,.name,.marktext{fill:var(--soft);
        font:12px system-ui,sans-serif}.name{fill:var(--ink)}.mark{stroke:#c33;stroke-dasharray:4 3}.reference{stroke:var(--soft);stroke-dasharray:2 4}.dashed{stroke-dasharray:6 5}.marktext{fill:#c33}
        .series{fill:none;stroke-width:2.2;stroke-linejoin:round}.series.s0{stroke:var(--a)}.series.s1{stroke:var(--b)}
        .series.s2{stroke:var(--c)}.series.s3{stroke:var(--d)}.dot.s0,.bar.s0{fill:var(--a)}.dot.s1,.bar.s1{fill:var(--b)}
        .dot.s2,.bar.s2{fill:var(--c)}.dot.s3,.bar.s3{fill:var(--d)}.legend{font-size:14px}.key{margin-right:20px;white-space:nowrap}.keyline{display:inline-block;width:26px;height:8px;margin-right:6px;vertical-align:middle}.key i{
        display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px}.key i.s0{background:var(--a)}
        .key i.s1{background:var(--b)}.key i.s2{background:var(--c)}.key i.s3{background:var(--d)}table{border-collapse:collapse;
        width:100%;font-size:13px;margin:18px 0}.wide{overflow-x:auto}th,td{text-align:right;padding:5px 8px;
        border-bottom:1px solid var(--line);vertical-align:top;white-space:nowrap}th:first-child,td:first-child{text-align:left;
        white-space:normal;width:44%;min-width:190px}th{color:var(--soft);font-weight:600}small{color:var(--soft)}.worse{color:#c33}.better{color:var(--c)}.problems{border:1px solid
        #c33;border-radius:8px;padding:0 18px;margin:20px 0}footer{margin-top:40px;font-size:13px;color:var(--soft)}
        """
}
