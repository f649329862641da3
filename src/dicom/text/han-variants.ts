// 汉字 that write the same name: traditional, Japanese and variant forms, folded to the simplified one, so that 张三 finds 張三 and back.
//
// Invariants: each form folds into one other, which folds no further. What a mainland registry writes (GB 2312) is never folded, so two different names of the
// mainland never become one. A test holds both, and that the forms of a group share a reading.
// Left out on purpose: characters that neither names nor descriptions use much, and words: this is no converter of texts.

/** First the form that stands for all, then what is folded into it. The most used characters of names, surnames first. */
const groups = [
  '张張 陈陳 刘劉 杨楊 黄黃 赵趙 吴吳呉 孙孫 马馬 罗羅 郑鄭 谢謝 许許 韩韓 冯馮 邓鄧 萧蕭 蒋蔣 苏蘇甦',
  '叶葉 吕呂 卢盧 贾賈 阎閻 钟鍾鐘 谭譚 陆陸 邹鄒 韦韋 龙龍竜 钱錢 顾顧 汤湯 万萬 赖賴 龚龔 严嚴厳',
  '齐齊斉 庄莊 颜顏 涂塗 聂聶 欧歐 闫閆 岳嶽 毕畢 骆駱 鲁魯 邬鄔 费費 时時 宾賓賔 阳陽 单單 华華 乔喬',
  '东東 应應応 卫衛衞 纪紀 项項 宁寧 关關関 桥橋 庞龐 麦麥 仓倉 娄婁 鲍鮑 蔺藺 练練 连連 寿壽 温溫',
  '车車 荣榮栄 邝鄺 党黨 简簡 饶饒 区區 闵閔 沈瀋 谷穀 闻聞 习習 郏郟 蒙濛 窦竇 缪繆 郐鄶 师師 巩鞏',
  '库庫 阚闞 隽雋 贝貝 乌烏 贡貢 钮鈕 厉厲 诸諸 宫宮 栾欒 钭鈄 钧鈞 赏賞 晋晉 适適 国國 郦酈 尔爾',
  '伟偉 强強 军軍 杰傑 涛濤 鹏鵬 辉輝煇 刚剛 俊儁 飞飛 凤鳳 兰蘭 红紅 丽麗 艳艷豔艶 燕鷰 静靜 洁潔',
  '颖穎頴 莹瑩 婵嬋 贞貞 娅婭 妍姸 锦錦 青靑 娴嫻嫺 瑶瑤 雁鴈 仪儀 梦夢 岚嵐 霭靄 晓曉暁 欢歡歓 枫楓',
  '芸蕓 滢瀅 亚亞亜 飘飄 凯凱 鸿鴻 泽澤沢 轩軒 烨燁爗 诚誠 伦倫 学學 庆慶 义義 兴興 贵貴 胜勝 发發発髪',
  '清淸 顺順 达達 岩巖 进進 坚堅 绍紹 松鬆 谦謙 轮輪 鸣鳴 梁樑 栋棟 维維 启啟啓 克剋 致緻 树樹 德徳悳',
  '腾騰 风風 礼禮 证證証 铭銘 铁鐵鉄 银銀 铜銅 锋鋒 镇鎮 锐銳 钢鋼 钰鈺 铮錚 镜鏡 铃鈴 锡錫 镕鎔 钊釗',
  '键鍵 铠鎧 铎鐸 镛鏞 锟錕 锴鍇 钦欽 录錄録 丰豐 农農 实實実 宝寶寳 宪憲 将將 尧堯尭 岁歲歳 岭嶺 岗崗',
  '嵘嶸 帅帥 广廣広 庐廬 归歸 当當 忆憶 怀懷 恒恆 悦悅 愿願 戏戲 战戰 扬揚 担擔 择擇 挚摯 携攜 敌敵',
  '数數 斋齋斎 旷曠 昙曇 昼晝 显顯顕 晖暉 暂暫 术術 权權権 来來 极極 构構 柠檸 标標 栖棲 桢楨 桦樺',
  '橼櫞 樱櫻桜 汉漢 泸瀘 泷瀧滝 润潤 渊淵 渔漁 渐漸 潇瀟 澜瀾 濑瀨瀬 灏灝 灵靈霊 灿燦 炜煒 炯烱 炼煉',
  '烁爍 烛燭 焕煥 焘燾 爱愛 爷爺 牵牽 献獻 玑璣 玮瑋 环環 现現 珑瓏 琏璉 琼瓊 璇璿 瑷璦 电電 画畫',
  '畅暢 皑皚 盖蓋 监監 碍礙 祎禕 祯禎 禄祿 种種 称稱 穗穂 稳穩 竞競 笃篤 笔筆 签簽 类類 粮糧 紧緊',
  '纤纖 约約 纬緯 纯純 纲綱 纳納 纵縱 纶綸 纷紛 纹紋 经經経 结結 绘繪絵 络絡 绚絢 统統 绢絹 绣繡',
  '继繼継 续續続 绮綺 绫綾 绵綿緜 绿綠緑 缃緗 缇緹 缘緣 缤繽 缨纓 群羣 翘翹 翚翬 耀燿 耸聳 聪聰聡 联聯',
  '肃肅粛 肠腸 脉脈 脸臉 舰艦 艺藝 节節 芦蘆 苍蒼 苹蘋 范範 荆荊 荐薦 荫蔭 药藥薬 莲蓮 获獲 莺鶯 萝蘿',
  '萤螢 营營 蓝藍 蔷薔 蔼藹 蕴蘊 虑慮 虽雖 虬虯 蛮蠻 补補 装裝 见見 观觀 规規 览覽 觉覺 触觸 誉譽',
  '计計 训訓 记記 讲講 论論 设設 访訪 评評 识識 译譯訳 试試 诗詩 话話 询詢 详詳 语語 说說 诺諾 谊誼',
  '谋謀 谐諧 谚諺 谨謹 谱譜 赋賦 赐賜 赛賽 赞贊讚 赟贇 跃躍 践踐 轶軼 轼軾 载載 辅輔 辈輩 辑輯',
  '边邊邉辺 迁遷 迈邁 运運 远遠 违違 迟遲 逊遜 递遞 遥遙 郁鬱 释釋 里裏 钗釵 长長 门門 闪閃 间間 闯闖',
  '闲閒閑 闽閩 阁閣 阅閱 队隊 阴陰 阵陣 阶階 际際 陇隴 随隨 隐隱 隶隸 难難 雏雛 雾霧 霁霽 韵韻 页頁',
  '顶頂 须須 顿頓 颂頌 领領 频頻 题題 额額 飒颯 饮飲 馆館 驰馳 驹駒 驾駕 骁驍 骄驕 骅驊 验驗験 骏駿',
  '骐騏 骥驥 骧驤 鲜鮮 鲲鯤 鸟鳥 鸥鷗 鸳鴛 鸯鴦 鸾鸞 鹃鵑 鹊鵲 鹤鶴 鹰鷹 麟麐 黾黽 齿齒 龄齡 龟龜',
  '云雲 会會 传傳 伤傷 俭儉 儿兒 兑兌 内內 冈岡 册冊 写寫 决決 净淨浄 凉涼 减減 击擊 创創 别別 剑劍剣',
  '劲勁 动動 励勵 劳勞 势勢 勋勳勛 勤懃 协協 卖賣 县縣 参參 双雙 变變 叠疊 台臺 号號 听聽 员員 响響',
  '咏詠 园園 圆圓円 图圖 团團 场場 块塊 坛壇 坠墜 垒壘 声聲 壮壯 备備 头頭 夹夾 奋奮 奖獎 妆妝 妇婦',
  '妈媽 娇嬌 婴嬰 宽寬 对對 导導 专專 业業 个個 为為 举舉 么麼 乡鄉 书書 争爭 亏虧 产產 亲親 仅僅',
  '从從 价價 众眾 优優 体體 余餘 侠俠 侣侶 侦偵 俩倆 债債 储儲 兽獸 冲沖 冻凍 准準 劝勸 办辦 务務',
  '医醫 卷捲 历歷 压壓 厅廳 叹嘆 吨噸 呐吶 珍珎 崎﨑嵜碕 高髙 吉𠮷 槙槇 真眞 峰峯 富冨 条條 满滿満',
  '与與 弥彌 桑桒 茎莖 滨濱 惠恵',
  '彦彥 绣綉 鉴鑑鑒 铨銓 钲鉦 钏釧 铿鏗 峦巒 阔闊 颐頤 颉頡 尘塵 寻尋 几幾 厦廈 径徑 复復複 恽惲 恳懇',
  '恋戀 舍捨 挥揮 拥擁 叙敘 旸暘 晔曄 胧朧 楼樓 乐樂楽 桧檜 气氣気 涟漣 潜潛 涧澗 济濟 浚濬 湾灣 无無',
  '烟煙 荧熒 灯燈 狮獅 独獨 玺璽 异異 畴疇 尽盡 盘盤 矫矯 砚硯 硕碩 筑築 箫簫 粤粵 纱紗 纮紘 绅紳',
  '丝絲 绪緒 萦縈 缜縝 总總総 绩績 织織 圣聖 职職 修脩 临臨 莱萊 苇葦 荟薈 讯訊 诒詒 诏詔 诣詣 诠詮',
  '志誌 诵誦 谆諄 谅諒 谕諭 谌諶 谯譙 议議 护護 让讓 贯貫 贺賀 资資 贤賢 赢贏 轻輕 选選 铉鉉 铸鑄',
  '开開 闳閎 闰閏 阙闕 预預 飏颺 骞騫 惊驚 鲸鯨 点點 汇匯 啸嘯 报報 垦墾 奥奧 姗姍 娱娛 岛島嶋嶌 峡峽',
  '峥崢 怜憐 侨僑 亿億 问問 厍厙 秋秌 黑黒 柳桺 斗鬥 旧舊 笼籠 冢塚 姜薑 涌湧 游遊 栗慄 巨鉅',
  '欣訢 锜錡 铱銥 铄鑠 铤鋌 锲鍥 铖鋮 锬錟 镐鎬 锽鍠 镔鑌 闿闓 颀頎 颢顥 骢驄 骋騁 鲤鯉 鸢鳶 鹜鶩',
  '鹭鷺 鹦鸚 鸽鴿 麸麩 缦縵 缙縉 缵纘 绎繹 绡綃 缓緩 纫紉 绥綏 绰綽 玚瑒 珲琿 瑸璸 玙璵 珐琺 瓒瓚',
  '祢禰 沣灃 沪滬 浏瀏 浔潯 涣渙 潆瀠 澄澂 沩溈 洼窪 沧滄 滦灤 桤榿 枞樅 椤欏 槟檳 榉櫸 棂欞 芗薌',
  '荞蕎 荪蓀 莳蒔 蒌蔞 蔹蘞 苎苧 茑蔦 荥滎 葱蔥 蓟薊 藓蘚 逻邏 郓鄆 郸鄲 邺鄴 驷駟 驭馭 骊驪 岘峴',
  '峤嶠 巅巔 岿巋 崂嶗 怿懌 恺愷 恸慟 悯憫 惬愜 慑懾 扪捫 抚撫 据據 挂掛 壶壺 奂奐 妩嫵 妪嫗 娆嬈',
  '婳嫿 嫒嬡 嫔嬪 孪孿 宠寵 尴尷 属屬 帆颿 帧幀 帜幟 帘簾 庑廡 弯彎 弹彈 彻徹 忧憂 暧曖 晒曬 朴樸',
  '杀殺 枣棗 柜櫃 检檢 欤歟 毙斃 氢氫 沟溝 泾涇 洒灑 浆漿 湿濕 滞滯 滩灘 炽熾 热熱 犹猶 狱獄 玛瑪',
  '痒癢 盐鹽 瞩矚 础礎 离離 秽穢 积積 穷窮 窍竅 笺箋 筝箏 筹籌 纠糾 绝絕 绳繩 缔締 罚罰 耻恥 聋聾',
  '胆膽 脑腦 舱艙 艰艱 茧繭 获穫 蜗蝸 蝉蟬 袭襲 词詞 误誤 课課 谈談 质質 贷貸 轨軌 轰轟 辽遼 迩邇',
  '遗遺 邻鄰 酝醞 锁鎖 锻鍛 闭閉 阐闡 陕陝 雇僱 雕鵰 鞑韃 韧韌 顽頑 颁頒 饰飾 驱驅 鱼魚 鳌鰲 鸡雞鷄',
  '鸭鴨',
  // Descriptions.
  '颅顱 颈頸 肾腎 脏臟髒 髋髖 扫掃 肿腫 颚顎 肤膚 胫脛 髌髕 颌頜 颞顳 线線綫 测測 侧側 断斷 层層 颊頰 脓膿 疗療 诊診',
  '剂劑 钡鋇 横橫 状狀 轴軸 齿齒',
].join(' ');

/** What a form is folded into. */
const plainForms = new Map<string, string>();
for (const group of groups.split(' ')) {
  const [plain = '', ...forms] = Array.from(group);
  for (const form of forms) plainForms.set(form, plain);
}

/** From the first to the last character that may be folded; most letters of the world lie outside. */
const codeUnitMin = 0x4e00;

export function plainHan(text: string): string {
  let folded = '';
  let taken = 0;
  for (let at = 0; at < text.length; at++) {
    if (text.charCodeAt(at) < codeUnitMin) continue;
    // One of them, 𠮷, is beyond the first plane and takes two units.
    const char = String.fromCodePoint(text.codePointAt(at) as number);
    const plain = plainForms.get(char);
    if (plain !== undefined) {
      folded += text.slice(taken, at) + plain;
      taken = at + char.length;
    }
    at += char.length - 1;
  }
  return taken === 0 ? text : folded + text.slice(taken);
}

/** Every form that is folded, with what it becomes. */
export function foldedForms(): ReadonlyMap<string, string> {
  return plainForms;
}
